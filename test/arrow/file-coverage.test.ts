/** Files whose footer does not account for all of their bytes. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { FlatBytes } from '../../src/arrow/frame/flatbuffer.js';
import { failureOf, fixture, readTable } from './arrow-files.js';

const WRITERS = [
  'pyarrow.arrow',
  'feather-zstd.feather',
  'polars.arrow',
  'polars-lz4.arrow',
  'pandas.feather',
] as const;
const bytesOf = (file: string): Buffer => readFileSync(fixture(file));

/** Slots of the footer's lists. */
const DICTIONARIES = 2;
const BATCHES = 3;

interface Blocks {
  readonly count: number;
  /** Where the list begins, its count in front. */
  readonly at: number;
}

function footerAt(file: Buffer): number {
  return file.length - 10 - file.readUInt32LE(file.length - 10);
}

function blocksOf(file: Buffer, slot: number): Blocks {
  const at = footerAt(file);
  const { count, position } = new FlatBytes(file.subarray(at, file.length - 10)).rootTable().structs(slot, 24);
  return { count, at: at + position };
}

/** The file with the last block of a list taken off it, as if its batch had never been written. */
function dropLast(file: Buffer, slot: number): Buffer {
  const { count, at } = blocksOf(file, slot);
  const shorter = Buffer.from(file);
  shorter.writeUInt32LE(count - 1, at - 4);
  return shorter;
}

/** The file with the first block of a list taken off it. */
function dropFirst(file: Buffer, slot: number): Buffer {
  const { count, at } = blocksOf(file, slot);
  const shorter = Buffer.from(file);
  shorter.copyWithin(at, at + 24, at + 24 * count);
  shorter.writeUInt32LE(count - 1, at - 4);
  return shorter;
}

const uncovered = (from: number, to: number): object => ({
  code: 'input_corrupt',
  details: { file: 'bytes', from, to },
});

describe('files joined byte by byte', () => {
  it.each(WRITERS)('are refused with the bytes that no batch covers: %s twice', async (name) => {
    const file = bytesOf(name);
    const error = await failureOf(() => readTable(Buffer.concat([file, file])));
    expect(error).toMatchObject(uncovered(footerAt(file), file.length + footerAt(file)));
    expect(error.message).toContain(`covers the bytes from ${footerAt(file)} to ${file.length + footerAt(file)}`);
    expect(error.message).toContain('several files joined byte by byte');
  });

  it.each(WRITERS)('are refused whatever the two are: %s before and behind the others', async (name) => {
    for (const other of WRITERS) {
      if (other === name) continue;
      const error = await failureOf(() => readTable(Buffer.concat([bytesOf(name), bytesOf(other)])));
      expect(error.code, other).toBe('input_corrupt');
    }
  });
});

describe('a footer that lists fewer batches than the file has', () => {
  it.each(WRITERS)('is refused with the bytes of the last batch or the only one: %s', async (name) => {
    const file = bytesOf(name);
    const { count, at } = blocksOf(file, BATCHES);
    const from = Number(file.readBigInt64LE(at + 24 * (count - 1)));
    const error = await failureOf(() => readTable(dropLast(file, BATCHES)));
    expect(error.code).toBe('input_corrupt');
    expect(Number(error.details['from'])).toBeLessThanOrEqual(from);
    expect(Number(error.details['to'])).toBeGreaterThan(from);
  });

  it('is refused where the first batch, or one in the middle, is the one that is not listed', async () => {
    const file = bytesOf('feather-zstd.feather');
    expect(blocksOf(file, BATCHES).count).toBe(3);
    const first = await failureOf(() => readTable(dropFirst(file, BATCHES)));
    expect(first.message).toContain('no batch in its footer covers the bytes from');
    // The middle one: the third takes its place in the list.
    const { at } = blocksOf(file, BATCHES);
    const middle = Buffer.from(file);
    const [from, to] = [24, 48].map((offset) => Number(file.readBigInt64LE(at + offset)));
    middle.copyWithin(at + 24, at + 48, at + 72);
    middle.writeUInt32LE(2, at - 4);
    expect(await failureOf(() => readTable(middle))).toMatchObject(uncovered(from!, to!));
  });

  it('is refused where a dictionary is not listed', async () => {
    for (const name of ['pyarrow.arrow', 'dictionary-delta.arrow', 'polars.arrow']) {
      const error = await failureOf(() => readTable(dropLast(bytesOf(name), DICTIONARIES)));
      expect(error.code, name).toBe('input_corrupt');
      expect(error.message, name).toContain('covers the bytes from');
    }
  });
});

describe('bytes beside the batches', () => {
  /** The file with bytes put in front of its footer, where nothing points behind them. */
  const withGap = (file: Buffer, gap: Buffer): Buffer =>
    Buffer.concat([file.subarray(0, footerAt(file)), gap, file.subarray(footerAt(file))]);

  it('may be zeros that align what follows', async () => {
    const file = bytesOf('pyarrow.arrow');
    expect(await readTable(withGap(file, Buffer.alloc(56)))).toEqual(await readTable(file));
  });

  it('may be no more zeros than any alignment needs, and nothing else', async () => {
    const file = bytesOf('pyarrow.arrow');
    const end = footerAt(file);
    expect(await failureOf(() => readTable(withGap(file, Buffer.alloc(8192))))).toMatchObject(
      uncovered(end, end + 8192),
    );
    const stray = Buffer.alloc(64);
    stray[63] = 1;
    expect(await failureOf(() => readTable(withGap(file, stray)))).toMatchObject(uncovered(end, end + 64));
  });
});
