import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeMessage } from '../../src/arrow/frame/message.js';
import { openArrowBytes } from '../../src/arrow/read/reader.js';
import { ShortlistError } from '../../src/base/errors.js';
import { failureOf, fixture, readTable } from './arrow-files.js';

const FILES = [
  'pyarrow.arrow',
  'pyarrow-batches.arrows',
  'feather-lz4.feather',
  'feather-zstd.feather',
  'polars.arrow',
  'polars-stream.arrows',
  'datasets.arrow',
  'dictionary-delta.arrow',
  'dictionary-replaced.arrows',
  'dictionary-types.feather',
  'types.arrow',
  'types-lz4.arrow',
] as const;

const bytesOf = Object.fromEntries(FILES.map((file) => [file, readFileSync(fixture(file))])) as Record<
  (typeof FILES)[number],
  Buffer
>;

/** Rows, or a coded error that names the input; nothing else may come out of wrong bytes. */
async function expectRowsOrCode(bytes: Uint8Array): Promise<void> {
  try {
    await readTable(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(ShortlistError);
    expect((error as ShortlistError).code).toMatch(/^input_(corrupt|format|unsupported)$/);
    expect((error as ShortlistError).message.startsWith('bytes ')).toBe(true);
  }
}

describe('wrong bytes', () => {
  it.each(FILES)('cut off anywhere but between the messages of a stream, %s is refused', async (file) => {
    const whole = bytesOf[file];
    const step = Math.ceil(whole.length / 150);
    const boundaries = whole.readUInt32LE(0) === 0xffffffff ? messageEnds(whole) : [];
    for (let end = 0; end < whole.length; end += step) {
      if (boundaries.includes(end)) continue;
      const error = await failureOf(() => readTable(whole.subarray(0, end)));
      expect(error.code).toMatch(/^input_(corrupt|format)$/);
    }
    await readTable(whole);
  });

  it.each(FILES)('with flipped bits, %s ends in rows or a coded error', async (file) => {
    const flip = fc.tuple(fc.nat(), fc.nat(7));
    await fc.assert(
      fc.asyncProperty(fc.array(flip, { minLength: 1, maxLength: 3 }), async (flips) => {
        const bytes = Buffer.from(bytesOf[file]);
        for (const [at, bit] of flips) bytes[at % bytes.length]! ^= 1 << bit;
        await expectRowsOrCode(bytes);
      }),
      { seed: 20264, numRuns: 250 },
    );
  });

  it('with overwritten words, files end in rows or a coded error', async () => {
    const word = fc.constantFrom(0, 1, 0x7fffffff, 0x80000000, 0xffffffff, 0x10000, 8);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...FILES), fc.nat(), word, fc.boolean(), async (file, at, value, long) => {
        const bytes = Buffer.from(bytesOf[file]);
        const position = (at % (bytes.length >> 2)) * 4;
        bytes.writeUInt32LE(value, position);
        if (long && position + 8 <= bytes.length) bytes.writeUInt32LE(value, position + 4);
        await expectRowsOrCode(bytes);
      }),
      { seed: 20265, numRuns: 3000 },
    );
  });

  it('behind the magic of a file or of a stream, noise ends in a coded error', async () => {
    const start = fc.constantFrom('ARROW1\0\0', '\xff\xff\xff\xff\x10\0\0\0', '\x40\0\0\0\x10\0\0\0');
    await fc.assert(
      fc.asyncProperty(start, fc.uint8Array({ maxLength: 300 }), fc.boolean(), async (magic, noise, ends) => {
        const tail = ends ? Buffer.from('\x40\0\0\0ARROW1', 'latin1') : Buffer.alloc(0);
        await failureOf(() => readTable(Buffer.concat([Buffer.from(magic, 'latin1'), noise, tail])));
      }),
      { seed: 20266, numRuns: 2000 },
    );
  });
});

describe('framing', () => {
  const stream = bytesOf['pyarrow-batches.arrows'];
  const END_BYTES = 8;

  it('without the end-of-stream marker, a stream is read up to its last whole message, with a warning', async () => {
    const whole = await openArrowBytes('whole.arrows', stream);
    expect([whole.rows, whole.warnings]).toEqual([21, []]);
    const rows: number[] = [];
    for (const end of messageEnds(stream)) {
      const cut = stream.subarray(0, end);
      const reader = await openArrowBytes('cut.arrows', cut);
      expect(reader.warnings).toEqual([
        `cut.arrows: the stream ends without its end-of-stream marker: its writer may have been interrupted; ${reader.rows} rows were read`,
      ]);
      rows.push((await readTable(cut)).rows);
      for (const inside of [end - 1, end + 1, end + 5]) {
        expect((await failureOf(() => readTable(stream.subarray(0, inside)))).code).toBe('input_corrupt');
      }
    }
    // After the schema, after the dictionary, after each batch of 8 rows.
    expect(rows).toEqual([0, 0, 8, 16, 21]);
  });

  it('two streams joined byte by byte are refused, with the marker between them or without', async () => {
    const error = await failureOf(() => readTable(Buffer.concat([stream, stream])));
    expect(error.message).toContain(`${stream.length} bytes follow the end-of-stream marker`);
    const open = stream.subarray(0, stream.length - END_BYTES);
    const second = await failureOf(() => readTable(Buffer.concat([open, stream])));
    expect(second.message).toContain(`a second stream starts at byte ${open.length}`);
    expect((await failureOf(() => readTable(Buffer.concat([open, bytesOf['pyarrow.arrow']])))).code).toBe(
      'input_corrupt',
    );
  });

  it('a file without its footer is refused though its batches are whole', async () => {
    const file = bytesOf['pyarrow.arrow'];
    const error = await failureOf(() => readTable(file.subarray(0, file.length - 10)));
    expect(error.code).toBe('input_corrupt');
    expect(error.message).toContain('does not end with a footer');
  });

  it('a footer that lists one batch twice is refused', async () => {
    const file = Buffer.from(bytesOf['feather-zstd.feather']);
    const batches = findBlocks(file);
    file.copy(file, batches[1], batches[0], batches[0]! + 24);
    const error = await failureOf(() => readTable(file));
    expect(error.message).toContain('over each other');
  });
});

/** Where the messages of a stream end, its end-of-stream marker left out. */
function messageEnds(stream: Buffer): number[] {
  const ends: number[] = [];
  for (let at = 0; stream.readUInt32LE(at + 4) !== 0;) {
    const metadataBytes = stream.readUInt32LE(at + 4);
    at += 8 + metadataBytes + decodeMessage(stream.subarray(at + 8, at + 8 + metadataBytes)).bodyBytes;
    ends.push(at);
  }
  return ends;
}

/** Where the footer has the blocks of its record batches: 24 bytes each, which begin with a position. */
function findBlocks(file: Buffer): number[] {
  const footerAt = file.length - 10 - file.readUInt32LE(file.length - 10);
  const found: number[] = [];
  for (let at = footerAt; at + 24 <= file.length; at += 4) {
    const position = file.readUInt32LE(at);
    const isBlock = position % 8 === 0 && position >= 8 && position + 8 < footerAt && file.readUInt32LE(at + 4) === 0;
    if (isBlock && file.readUInt32LE(position) === 0xffffffff && file.readUInt32LE(at + 8) > 64) found.push(at);
  }
  // The dictionary comes first, and its block is written in front or behind; the last two are neighbours of one list.
  return found.slice(-2);
}
