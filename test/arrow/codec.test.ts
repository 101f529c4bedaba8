import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { compressFrameSync } from 'lz4-napi';
import { describe, expect, it } from 'vitest';
import { decompress } from '../../src/arrow/frame/codec.js';
import { ArrowFault } from '../../src/arrow/fault.js';
import { lz4Measuring } from '../../src/arrow/frame/lz4-frame.js';
import { measureZstdFrame, zstdDecoding } from '../../src/arrow/frame/zstd-frame.js';
import { fixture } from './arrow-files.js';

/** All steps of a decoder at once. */
function complete<T>(steps: Generator<void, T, void>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

const measureLz4Frame = (bytes: Uint8Array) => complete(lz4Measuring(bytes));
const decodeZstdFrame = (bytes: Uint8Array, target: Uint8Array) => complete(zstdDecoding(bytes, target));

interface Frame {
  readonly content: keyof ReturnType<typeof makeContents>;
  readonly level: number;
  readonly frame: string;
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
    const decoded = new Uint8Array(expected.length);
    decodeZstdFrame(bytes, decoded);
    expect(expected.equals(decoded)).toBe(true);
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
    await expect(decompress('zstd', bytes, 299_999)).rejects.toThrow('unfolds to 300000 bytes and declares 299999');
    await expect(decompress('zstd', bytes, 2 ** 31)).rejects.toThrow('unfolds to 300000 bytes and declares 2147483648');
    expect(() => decodeZstdFrame(bytes, new Uint8Array(10))).toThrow(ArrowFault);
    expect(() => decodeZstdFrame(bytes, new Uint8Array(300_001))).toThrow(ArrowFault);
  });

  it('ends in a fault or in bytes, whatever is changed in a frame', () => {
    const change = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(fc.constantFrom(...frames), fc.array(change, { minLength: 1, maxLength: 4 }), (frame, changes) => {
        const bytes = Buffer.from(frame.frame, 'base64');
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        expectFaultOrNothing(() => {
          const { end } = measureZstdFrame(bytes);
          decodeZstdFrame(bytes.subarray(0, end), new Uint8Array(contents[frame.content].length));
        });
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
        expect(measureLz4Frame(frame)).toEqual({ end: frame.length, contentBytes: content.length });
      }),
      { seed: 20262, numRuns: 300 },
    );
  });

  it('refuses a bomb by what it would unfold to', async () => {
    const bomb = compressFrameSync(Buffer.alloc(64 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(1024 * 1024);
    await expect(decompress('lz4', bomb, 100)).rejects.toThrow('unfolds to 67108864 bytes and declares 100');
    await expect(decompress('lz4', bomb, 2 ** 31)).rejects.toThrow(ArrowFault);
  });

  it('ends in a fault or in bytes, whatever is changed in a frame', async () => {
    const content = contents.text;
    const whole = compressFrameSync(content);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), fc.nat(20), async (at, value, cut) => {
        const bytes = Buffer.from(whole.subarray(0, whole.length - cut));
        bytes[at % bytes.length] = value;
        try {
          expect(await decompress('lz4', bytes, content.length)).toHaveLength(content.length);
        } catch (error) {
          expect(error).toBeInstanceOf(ArrowFault);
        }
      }),
      { seed: 20263, numRuns: 1000 },
    );
  });
});

function expectFaultOrNothing(action: () => void): void {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(ArrowFault);
  }
}
