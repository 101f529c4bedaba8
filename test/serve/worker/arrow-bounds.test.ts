/** Arrow bodies that are small in bytes and large in everything else: refused early, and read in turns. */
import { readFileSync } from 'node:fs';
import {
  Dictionary,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int32,
  List,
  RecordBatchStreamWriter,
  Table,
  makeData,
  makeVector,
  tableToIPC,
  vectorFromArray,
  type DataType,
  type Vector,
} from 'apache-arrow';
import { describe, expect, it } from 'vitest';
import { measureLz4Frame } from '../../../src/arrow/frame/lz4-frame.js';
import { FILE_BOUNDS } from '../../../src/arrow/frame/read-bounds.js';
import { openArrowBytes } from '../../../src/arrow/read/reader.js';
import { measureZstdFrame } from '../../../src/arrow/frame/zstd-frame.js';
import { ShortlistError } from '../../../src/base/errors.js';
import { readArrowVectors } from '../../../src/serve/request/arrow-vectors.js';
import { TimeSlicer } from '../../../src/serve/request/time-slicer.js';

const LIMIT = 48 * 2 ** 20;

/** Every place where the event loop may turn is one where it does. */
class EveryTurn extends TimeSlicer {
  count = 0;

  override isSliceOver(): boolean {
    return true;
  }

  override waitForTurn(): Promise<void> {
    this.count++;
    return Promise.resolve();
  }
}

interface Outcome {
  readonly error: ShortlistError | null;
  readonly turns: number;
  readonly counted: number;
  readonly vectors: readonly unknown[];
}

async function read(bytes: Uint8Array): Promise<Outcome> {
  const turns = new EveryTurn();
  let counted = 0;
  const memory = {
    grow: (size: number) => {
      counted += size;
    },
  };
  try {
    const queries = await readArrowVectors(Buffer.from(bytes), undefined, { limit: LIMIT, memory, slicer: turns });
    const vectors = queries.kind === 'vectors' ? queries.vectors : [];
    return { error: null, turns: turns.count, counted, vectors };
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
    return { error, turns: turns.count, counted, vectors: [] };
  }
}

function lists(dim: number, rows: number): Vector {
  const child = makeData({ type: new Float32(), length: rows * dim, nullCount: 0, data: new Float32Array(rows * dim).fill(1) });
  const type = new FixedSizeList(dim, new Field('item', new Float32(), false));
  return makeVector(makeData({ type, length: rows, nullCount: 0, child }));
} // prettier-ignore

/** One list of ones, of any length. */
function floats(type: DataType, length: number): Vector {
  return vectorFromArray([Array.from({ length }, () => 1)], new List(new Field('item', type, true)));
}

/** A stream whose last record batch comes so many times. */
function repeatBatch(rows: number, times: number): Buffer {
  const stream = Buffer.from(RecordBatchStreamWriter.writeAll(new Table({ v: lists(4, rows) }).batches).toUint8Array(true));
  const end = stream.length - 8; // the marker
  const schemaEnd = 8 + stream.readUInt32LE(4);
  const batch = stream.subarray(schemaEnd, end);
  return Buffer.concat([stream.subarray(0, schemaEnd), ...(Array(times).fill(batch) as Buffer[]), stream.subarray(end)]);
} // prettier-ignore

describe('an Arrow body', () => {
  it('of 200,000 batches without rows is refused at the bound of batches', async () => {
    const { error, turns } = await read(repeatBatch(0, 200_000));
    expect(error).toMatchObject({ code: 'bad_arrow' });
    expect(error!.message).toContain('more than 4096 batches');
    expect(turns).toBeLessThan(5_000);
  });

  it('of as many batches as rows is read, and the event loop turns between them', async () => {
    const { error, vectors, turns } = await read(repeatBatch(1, 1_024));
    expect(error).toBeNull();
    expect(vectors).toHaveLength(1_024);
    expect(turns).toBeGreaterThan(2 * 1_024);
  });

  it('of more rows than are taken is refused', async () => {
    expect((await read(repeatBatch(3, 1_024))).error).toMatchObject({ code: 'batch_too_large' });
  });

  it('of thousands of columns is refused', async () => {
    const column = vectorFromArray([1], new Int32());
    const columns = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`c${i}`, column]));
    const { error } = await read(tableToIPC(new Table({ v: lists(4, 1), ...columns }), 'stream'));
    expect(error).toMatchObject({ code: 'bad_arrow' });
    expect(error!.message).toContain('more than 2048 fields');
  });

  it('of much metadata is refused', async () => {
    const table = new Table({ v: lists(4, 1) });
    table.schema.metadata.set('pandas', 'x'.repeat(2 ** 20));
    expect((await read(tableToIPC(table, 'stream'))).error).toMatchObject({ code: 'bad_arrow' });
  });

  it('of a value larger than any vector is refused before it is converted', async () => {
    const { error } = await read(tableToIPC(new Table({ v: floats(new Float64(), 40_000) }), 'stream'));
    expect(error).toMatchObject({ code: 'bad_arrow' });
    expect(error!.message).toContain('at most 131080 are read');
  });

  it('whose vectors are in a dictionary is refused', async () => {
    const vector = floats(new Dictionary(new Float32(), new Int32()), 4);
    const { error } = await read(tableToIPC(new Table({ v: vector }), 'stream'));
    expect(error).toMatchObject({ code: 'bad_arrow' });
    expect(error!.message).toContain('dictionary');
  });

  it('counts what is converted, and not what stays where it came', async () => {
    expect((await read(tableToIPC(new Table({ v: floats(new Float64(), 4) }), 'stream'))).counted).toBe(16);
    const plain = await read(tableToIPC(new Table({ v: lists(4, 100) }), 'stream'));
    expect(plain).toMatchObject({ error: null, counted: 0 });
  });

  it.each(['feather-zstd.feather', 'feather-lz4.feather'])('that is compressed says before what it unfolds to: %s', async (name) => {
    const bytes = readFileSync(new URL(`../../arrow/fixtures/${name}`, import.meta.url));
    const unfolded: number[] = [];
    const all = await openArrowBytes(name, bytes, { ...FILE_BOUNDS, onDecompress: (size) => void unfolded.push(size) });
    const columns = all.fields.flatMap(({ type }, i) => (type.kind === 'other' ? [] : [i]));
    for await (const chunk of all.read(columns)) expect(chunk.rows).toBeGreaterThan(0);
    expect(unfolded.length).toBeGreaterThan(0);
    const refusal = new ShortlistError('overloaded', 'no more');
    const refusing = await openArrowBytes(name, bytes, {
      ...FILE_BOUNDS,
      onDecompress: () => {
        throw refusal;
      },
    });
    await expect(refusing.read(columns).next()).rejects.toThrow(refusal);
  }); // prettier-ignore

  it('that is compressed in millions of empty blocks is refused or measured in steps', () => {
    const zstd = Buffer.concat([Buffer.from('28b52ffd2000', 'hex'), Buffer.alloc(3 * 200_000), Buffer.from('010000', 'hex')]);
    expect(() => measureZstdFrame(zstd)).toThrow('blocks');
    const head = Buffer.from('04224d18604082', 'hex');
    const lz4 = Buffer.concat([head, Buffer.from('00000080'.repeat(1_000), 'hex'), Buffer.alloc(4)]);
    expect([...measureLz4Frame(lz4)]).toHaveLength(1_000);
    const large = Buffer.alloc(5 * 2 ** 20);
    large.writeUInt32LE(large.length - 4);
    expect(() => [...measureLz4Frame(Buffer.concat([head, large]))]).toThrow('impossible block');
  }); // prettier-ignore
});
