import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { compressFrameSync } from 'lz4-napi';
import { describe, expect, it } from 'vitest';
import { decompress } from '../../src/arrow/frame/codec.js';
import { ArrowFault } from '../../src/arrow/fault.js';
import { measureLz4Frame } from '../../src/arrow/frame/lz4-frame.js';
import type { Codec } from '../../src/arrow/frame/message.js';
import { measureZstdFrame } from '../../src/arrow/frame/zstd-frame.js';
import { fixture } from './arrow-files.js';

/** All steps of a decoder at once. */
function complete<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

const measureLz4 = (bytes: Uint8Array) => complete(measureLz4Frame(bytes));

interface Frame {
  readonly content: keyof ReturnType<typeof makeContents>;
  readonly level: number;
  readonly frame: string;
}

/** A block that repeats `x`, not the last one of its frame. */
function runOf(bytes: number): Buffer {
  const block = Buffer.alloc(4, 'x');
  block.writeUIntLE((bytes << 3) | 2, 0, 3);
  return block;
}

/** A frame without its size. `window` is the byte of RFC 8878, 3.1.1.1.2: 1 MiB unless told. */
function zstdFrame(blocks: readonly Buffer[], { window = 80, checksum = '' } = {}): Buffer {
  const last = Buffer.from(blocks.at(-1)!);
  last[0]! |= 1;
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, checksum === '' ? 0 : 4, window]);
  return Buffer.concat([header, ...blocks.slice(0, -1), last, Buffer.from(checksum, 'hex')]);
}

const frames = JSON.parse(readFileSync(fixture('zstd-frames.json'), 'utf8')) as Frame[];
const contents = makeContents();

/** The contents of the committed frames, made anew as the script made them. */
function makeContents() {
  let state = 1;
  const randomBits = (bits: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> (32 - bits);
  };
  const repeat = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
  return {
    nothing: Buffer.alloc(0),
    zeros: Buffer.alloc(300_000),
    text: Buffer.from(repeat(900, (i) => `item ${i % 977} of shop ${i % 31}`).join(' ')),
    integers: Buffer.from(BigInt64Array.from(repeat(700, (i) => BigInt(i * i))).buffer),
    symbols: Buffer.from(repeat(3000, () => randomBits(2))),
    noise: Buffer.from(repeat(700, () => randomBits(8))),
    words: Buffer.from(repeat(300, () => 'abcdefghijklmnopqrstuvwxyz'.slice(0, 3 + randomBits(4))).join('')),
  };
}

describe('Zstandard', () => {
  it.each(frames)('restores $content compressed at level $level', async ({ content, frame }) => {
    const bytes = Buffer.from(frame, 'base64');
    const expected = contents[content];
    expect(expected.equals(await decompress('zstd', bytes, expected.length))).toBe(true);
    expect(measureZstdFrame(bytes).end).toBe(bytes.length);
  });

  it('refuses every frame that is cut short', () => {
    for (const { frame } of frames) {
      const bytes = Buffer.from(frame, 'base64');
      for (let end = 0; end < bytes.length; end += Math.ceil(bytes.length / 50)) {
        expect(() => measureZstdFrame(bytes.subarray(0, end))).toThrow(ArrowFault);
      }
    }
  });

  it('refuses a frame that unfolds to more or to less than declared, before it takes memory for it', async () => {
    const { frame } = frames.find(({ content }) => content === 'zeros')!;
    const bytes = Buffer.from(frame, 'base64');
    await expect(decompress('zstd', bytes, 299_999)).rejects.toThrow(
      'decompresses to 300000 bytes but declares 299999',
    );
    await expect(decompress('zstd', bytes, 2 ** 31)).rejects.toThrow(
      'decompresses to 300000 bytes but declares 2147483648',
    );
  });

  it('takes a frame that does not say its size, whatever its window, and ignores what follows it', async () => {
    for (const window of [1, 19, 130, 136]) {
      const bytes = Buffer.concat([zstdFrame([runOf(700), runOf(300)], { window }), Buffer.from('behind')]);
      expect(measureZstdFrame(bytes)).toEqual({ end: bytes.length - 6, contentBytes: null, maxContentBytes: 1_000 });
      expect(Buffer.alloc(1_000, 'x').equals(await decompress('zstd', bytes, 1_000))).toBe(true);
    }
  });

  it('refuses a frame that does not say its size and unfolds to more or to less', async () => {
    const bytes = zstdFrame([runOf(700), runOf(300)]);
    await expect(decompress('zstd', bytes, 1_001)).rejects.toThrow(
      'decompresses to at most 1000 bytes but declares 1001',
    );
    for (const length of [0, 1, 700, 999]) await expect(decompress('zstd', bytes, length)).rejects.toThrow(ArrowFault);
    const short = zstdFrame([...Array<Buffer>(9).fill(runOf(700)), Buffer.from('060000', 'hex')]); // an empty raw block
    await expect(decompress('zstd', short, 6_301)).rejects.toThrow(ArrowFault);
  });

  it('refuses a bomb that does not say its size, and takes no memory for it', async () => {
    const bomb = zstdFrame(Array<Buffer>(60_000).fill(runOf(128 * 1024))); // 7.3 GiB
    const before = process.memoryUsage().rss;
    await expect(decompress('zstd', bomb, 100)).rejects.toThrow(ArrowFault);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 2 ** 20);
  });

  it('refuses contents that their checksum contradicts, skippable frames, and frames that need a dictionary', async () => {
    const right = zstdFrame([runOf(1_000)], { checksum: '00000000' });
    await expect(decompress('zstd', right, 1_000)).rejects.toThrow(ArrowFault);
    const skippable = Buffer.concat([Buffer.from('502a4d1804000000', 'hex'), Buffer.alloc(4), zstdFrame([runOf(10)])]);
    await expect(decompress('zstd', skippable, 10)).rejects.toThrow('not a Zstandard frame');
    const foreign = zstdFrame([runOf(10)]);
    foreign[4] = 1;
    await expect(decompress('zstd', foreign, 10)).rejects.toThrow('dictionary');
  });

  it('gives each of many calls its own contents or fault, and leaves the bytes as they were', async () => {
    const calls = Array.from({ length: 40 }, (_, i) => frames[i % frames.length]!).map(
      async ({ content, frame }, i) => {
        const bytes = Buffer.from(frame, 'base64');
        const expected = contents[content];
        if (i % 3 === 0) await expect(decompress('zstd', bytes, expected.length + 1)).rejects.toThrow(ArrowFault);
        else expect(expected.equals(await decompress('zstd', bytes, expected.length))).toBe(true);
        expect(bytes.toString('base64')).toBe(frame);
      },
    );
    await Promise.all(calls);
  });

  it('ends in a fault or in bytes, whatever is changed in a frame', async () => {
    const change = fc.tuple(fc.nat(), fc.nat(255));
    const changes = fc.array(change, { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...frames), changes, async (frame, made) => {
        const bytes = Buffer.from(frame.frame, 'base64');
        for (const [at, value] of made) bytes[at % bytes.length] = value;
        await expectContentOrFault('zstd', bytes, contents[frame.content].length);
      }),
      { seed: 20261, numRuns: 3000 },
    );
  });
});

describe('LZ4', () => {
  it('measures what a frame unfolds to without unfolding it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(300), (block, times) => {
        const content = Buffer.concat(Array.from({ length: times }, () => block));
        const frame = compressFrameSync(content);
        expect(measureLz4(frame)).toEqual({ end: frame.length, contentBytes: content.length });
      }),
      { seed: 20262, numRuns: 300 },
    );
  });

  it('refuses a bomb by what it would unfold to', async () => {
    const bomb = compressFrameSync(Buffer.alloc(64 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(1024 * 1024);
    await expect(decompress('lz4', bomb, 100)).rejects.toThrow('decompresses to 67108864 bytes but declares 100');
    await expect(decompress('lz4', bomb, 2 ** 31)).rejects.toThrow(ArrowFault);
  });

  it('ends in a fault or in bytes, whatever is changed in a frame', async () => {
    const content = contents.text;
    const whole = compressFrameSync(content);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), fc.nat(20), async (at, value, cut) => {
        const bytes = Buffer.from(whole.subarray(0, whole.length - cut));
        bytes[at % bytes.length] = value;
        await expectContentOrFault('lz4', bytes, content.length);
      }),
      { seed: 20263, numRuns: 1000 },
    );
  });
});

async function expectContentOrFault(codec: Codec, bytes: Uint8Array, length: number): Promise<void> {
  try {
    expect(await decompress(codec, bytes, length)).toHaveLength(length);
  } catch (error) {
    expect(error).toBeInstanceOf(ArrowFault);
  }
}
