import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Field, RecordBatch, Schema, Struct, Table, makeData, tableToIPC, vectorFromArray } from 'apache-arrow';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { planIngest, type IngestOptions, type IngestPlan } from '../../src/ingest/plan.js';
import { countIds, countVectors, types, writeArrow, type TestColumn } from './arrow-files.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'plan-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const id: TestColumn = [types.int64, countIds(3)];
const vector: TestColumn = [types.vector(4), countVectors(3, 4)];
const write = (name: string, columns: Record<string, TestColumn>): string => writeArrow(join(folder, name), columns);
const plan = (columns: Record<string, TestColumn>, options: Omit<IngestOptions, 'paths'> = {}): Promise<IngestPlan> =>
  planIngest({ paths: [write('a.arrow', columns)], ...options });
const attributesOf = (planned: IngestPlan): string[] => planned.attributes.map((field) => field.name);

describe('the plan', () => {
  it('says files, rows, columns and dim without reading a value', async () => {
    const a = write('a.arrow', { id, embedding: vector, price: [types.float64, [1, null, 3]] });
    const b = write('b.arrow', {
      price: [types.float64, [4, 5, 6]],
      embedding: vector,
      id: [types.int64, countIds(3, 3)],
    });
    const planned = await planIngest({ paths: [b, a] });
    expect(planned.files.map((file) => [file.path, file.rows])).toEqual([
      [b, 3],
      [a, 3],
    ]);
    expect(planned).toMatchObject({ rows: 6, dim: 4, warnings: [], idType: { kind: 'int', bits: 64, signed: true } });
    expect(planned.vectorField.name).toBe('embedding');
    expect(attributesOf(planned)).toEqual(['price']);
  });

  it('says the dim of lists of varying length too, by their offsets', async () => {
    const planned = await plan({ id, v: [types.list32, countVectors(3, 4)] });
    expect([planned.dim, planned.dimSource]).toEqual([4, 'most vectors (3 of 3)']);
    expect((await plan({ id, v: [types.list32, [null, [], null]] })).dim).toBeNull();
  });

  it('reads streams as well as files', async () => {
    const path = writeArrow(join(folder, 's.arrow'), { id, v: vector }, { format: 'stream', batchRows: 2 });
    expect((await planIngest({ paths: [path] })).rows).toBe(3);
  });

  it('stops at a file that is not Arrow, naming it', async () => {
    const path = join(folder, 'x.arrow');
    writeFileSync(path, 'id,embedding\n1,2\n');
    await expect(planIngest({ paths: [path] })).rejects.toMatchObject({ code: 'input_format' });
    await expect(planIngest({ paths: [path] })).rejects.toThrow(path);
  });

  it('wants an input', async () => {
    await expect(planIngest({ paths: [] })).rejects.toMatchObject({ code: 'usage' });
  });

  it('stops when it is aborted', async () => {
    await expect(plan({ id, v: vector }, { signal: AbortSignal.abort() })).rejects.toThrow('abort');
  });
});

describe('the id column', () => {
  it('is `id` or the one that is named', async () => {
    const columns = { id, sku: [types.utf8, ['a', 'b', 'c']] as TestColumn, v: vector };
    expect((await plan(columns)).idField.name).toBe('id');
    const named = await plan(columns, { idColumn: 'sku' });
    expect(named.idType).toEqual({ kind: 'utf8' });
    expect(attributesOf(named)).toEqual(['id']);
  });

  it('may be a dictionary of strings', async () => {
    const planned = await plan({ id: [types.dictionary(), ['a', 'b', 'c']], v: vector });
    expect(planned.idType).toMatchObject({ kind: 'utf8' });
  });

  it('that is missing is refused with the columns there are, and a guess', async () => {
    const refused = plan({ listing_id: id, v: vector }, { idColumn: 'listing_ids' });
    await expect(refused).rejects.toMatchObject({ code: 'column_missing', details: { column: 'listing_ids' } });
    await expect(refused).rejects.toThrow(/"listing_id" \(int64\), "v" \(fixed_size_list.*did you mean listing_id\?/);
    await expect(plan({ key: id, v: vector })).rejects.toThrow('--id-column');
  });

  it('of a type that is no id is refused with its type', async () => {
    const refused = plan({ id: [types.float64, [1, 2, 3]], v: vector });
    await expect(refused).rejects.toMatchObject({ code: 'column_type', details: { column: 'id' } });
    await expect(refused).rejects.toThrow('double');
  });
});

describe('the vector column', () => {
  const other: TestColumn = [types.vector(2), countVectors(3, 2)];

  it('is the only one, whatever its name', async () => {
    expect((await plan({ id, anything: vector })).vectorField.name).toBe('anything');
  });

  it('is `embedding` before `vector` where there are several', async () => {
    expect((await plan({ id, vector, embedding: other })).vectorField.name).toBe('embedding');
    expect((await plan({ id, a: other, vector })).vectorField.name).toBe('vector');
  });

  it('is the one that is named', async () => {
    expect((await plan({ id, vector, embedding: other }, { vectorColumn: 'vector' })).dim).toBe(4);
  });

  it('must be named where several have other names', async () => {
    const refused = plan({ id, title_vec: vector, image_vec: other });
    await expect(refused).rejects.toMatchObject({ code: 'column_missing' });
    await expect(refused).rejects.toThrow(/"title_vec", "image_vec".*--vector-column/);
  });

  it('that is missing or of another type is refused', async () => {
    await expect(plan({ id })).rejects.toMatchObject({ code: 'column_missing' });
    await expect(plan({ id, v: vector }, { vectorColumn: 'w' })).rejects.toMatchObject({ code: 'column_missing' });
    const ints: TestColumn = [types.ints, [[1], [2], [3]]];
    await expect(plan({ id, v: ints }, { vectorColumn: 'v' })).rejects.toMatchObject({ code: 'column_type' });
    await expect(plan({ id, embedding: ints })).rejects.toMatchObject({ code: 'column_type' });
    await expect(plan({ id, v: vector }, { vectorColumn: 'id' })).rejects.toThrow('int64');
  });

  it('with more components than are taken is refused', async () => {
    const wide: TestColumn = [types.vector(20_000), [Array.from({ length: 20_000 }, () => 1)]];
    const refused = plan({ id: [types.int64, [1n]], v: wide });
    await expect(refused).rejects.toMatchObject({ code: 'column_type', details: { dim: 20_000 } });
  });
});

describe('columns of one name', () => {
  /** A table has no two columns of one name in apache-arrow's interface, so the batch is put together by hand. */
  const writeTwins = (name: string): string => {
    const twin: TestColumn = [types.int32, [1, 2, 3]];
    const columns = [id, vector, twin, twin];
    const fields = ['id', 'v', 'twin', 'twin'].map((field, i) => new Field(field, columns[i]![0], true));
    const children = columns.map(([type, values]) => vectorFromArray(values, type).data[0]!);
    const data = makeData({ type: new Struct(fields), length: 3, nullCount: 0, children });
    const path = join(folder, name);
    writeFileSync(path, tableToIPC(new Table([new RecordBatch(new Schema(fields), data)]), 'file'));
    return path;
  };

  it('are left out when all are wanted, and refused when named', async () => {
    const path = writeTwins('a.arrow');
    const planned = await planIngest({ paths: [path] });
    expect(attributesOf(planned)).toEqual([]);
    expect(planned.warnings).toHaveLength(1);
    expect(planned.warnings[0]).toContain('another column has the same name');
    const refused = { code: 'input_unsupported', details: { column: 'twin' } };
    await expect(planIngest({ paths: [path], attributes: ['twin'] })).rejects.toMatchObject(refused);
    await expect(planIngest({ paths: [path], idColumn: 'twin' })).rejects.toMatchObject(refused);
  });

  it('are refused where another file has the name once, in any order', async () => {
    const once = write('a.arrow', { id, v: vector, twin: [types.int32, [1, 2, 3]] });
    const twice = writeTwins('b.arrow');
    for (const paths of [
      [once, twice],
      [twice, once],
    ]) {
      await expect(planIngest({ paths })).rejects.toMatchObject({
        code: 'input_unsupported',
        details: { file: twice },
      });
    }
  });
});

describe('the attributes', () => {
  const columns = {
    id,
    v: vector,
    name: [types.utf8, ['a', null, 'c']],
    tags: [types.strings, [['x'], [], ['y', 'z']]],
    kind: [types.dictionary(), ['p', 'q', 'p']],
    sold: [types.bool, [true, false, null]],
    extra: [types.struct, [{ x: 1 }, { x: 2 }, { x: 3 }]],
    counts: [types.ints, [[1], [2], [3]]],
    pairs: [types.structs, [[{ x: 1 }], [], []]],
  } satisfies Record<string, TestColumn>;

  it('are all other scalar columns and lists of strings or integers; the rest is left out with a warning', async () => {
    const planned = await plan(columns);
    expect(attributesOf(planned)).toEqual(['name', 'tags', 'kind', 'sold', 'counts']);
    expect(planned.warnings).toHaveLength(2);
    expect(planned.warnings[0]).toContain('"extra" (struct');
    expect(planned.warnings[1]).toContain('"pairs" (list');
  });

  it('are none when none are wanted', async () => {
    expect(attributesOf(await plan(columns, { attributes: 'none' }))).toEqual([]);
  });

  it('are those that are named, in that order', async () => {
    const planned = await plan(columns, { attributes: ['sold', 'name', 'sold'] });
    expect(attributesOf(planned)).toEqual(['sold', 'name']);
    expect(planned.warnings).toEqual([]);
  });

  it('that are named and missing, of another type, or taken are refused', async () => {
    const refuse = (attribute: string): Promise<IngestPlan> => plan(columns, { attributes: [attribute] });
    await expect(refuse('nam')).rejects.toMatchObject({ code: 'column_missing' });
    await expect(refuse('nam')).rejects.toThrow('did you mean name?');
    await expect(refuse('extra')).rejects.toMatchObject({ code: 'column_type', details: { column: 'extra' } });
    await expect(refuse('id')).rejects.toMatchObject({ code: 'usage' });
    await expect(refuse('v')).rejects.toThrow('vector column');
  });
});
