/** Lists of integers from the input to answers: they are kept, filtered by, and given back as they were. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tableFromIPC } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ColumnType } from '../../../src/arrow/column.js';
import { encodeArrow } from '../../../src/arrow/write/encoder.js';
import { buildIndex } from '../../../src/builder/build-index.js';
import { publish } from '../../../src/version/state/publish.js';
import { buildOptions, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../../serve/server.js';
import { columnOf, type Value } from './stores.js';

const list = (bits: 8 | 16 | 32 | 64, signed: boolean, size: number | null): ColumnType => ({
  kind: 'list',
  item: { kind: 'int', bits, signed },
  size,
});

const COLUMNS: Readonly<Record<string, { readonly type: ColumnType; readonly values: readonly Value[] }>> = {
  bytes: { type: list(8, true, null), values: [[-1, 2], [], null, [2, 2]] },
  shorts: { type: list(16, false, 2), values: [[1, 2], [3, 4], [5, 6], [65_535, 1]] },
  words: { type: list(32, true, null), values: [[1, null], [2_000_000_000], [3], [1, 3]] },
  longs: { type: list(64, true, null), values: [[1n, -(2n ** 63n)], [2n ** 53n], [7n], null] },
}; // prettier-ignore

describe('lists of integers', () => {
  let server: TestServer;
  const root = temporaryFolder();

  beforeAll(async () => {
    const id: ColumnType = { kind: 'int', bits: 64, signed: true };
    const vector: ColumnType = { kind: 'list', item: { kind: 'float', bits: 32 }, size: 2 };
    const all = {
      id: { type: id, values: [0n, 1n, 2n, 3n] },
      embedding: { type: vector, values: [[1, 0], [0, 1], [-1, 0], [0, -1]] },
      ...COLUMNS,
    }; // prettier-ignore
    const fields = Object.entries(all).map(([name, { type }]) => ({ name, type, nullable: true }));
    const columns = Object.values(all).map(({ type, values }) => columnOf(type, values));
    const input = join(root, 'items.arrow');
    writeFileSync(input, encodeArrow('file', { fields }, [columns]));
    const { manifest } = await buildIndex(buildOptions(root, 'items', [input], { parameters: { m: 4, efConstruction: 8, seed: 1 } })); // prettier-ignore
    expect(manifest.attributes.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'bytes list<int8>',
      'shorts fixed_size_list<uint16>[2]',
      'words list<int32>',
      'longs list<int64>',
    ]);
    await publish(root, 'items', manifest.version);
    server = await TestServer.start(root, ['--workers', '1']);
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  const body = (filter: object) => ({ vector: [1, 0.5], k: 4, filter, include: { attributes: true } });

  async function search(filter: object): Promise<Record<string, Record<string, unknown>>> {
    const response = await server.search(body(filter), 'items');
    const answer = (await response.json()) as { candidates: { id: string; attributes: Record<string, unknown> }[] };
    return Object.fromEntries(answer.candidates.map(({ id, attributes }) => [id, attributes]));
  }

  it('come back as JSON, integers beyond 2^53 as texts', async () => {
    expect(await search({})).toEqual({
      0: { bytes: [-1, 2], shorts: [1, 2], words: [1, null], longs: [1, '-9223372036854775808'] },
      1: { bytes: [], shorts: [3, 4], words: [2_000_000_000], longs: ['9007199254740992'] },
      2: { bytes: null, shorts: [5, 6], words: [3], longs: [7] },
      3: { bytes: [2, 2], shorts: [65_535, 1], words: [1, 3], longs: null },
    });
  });

  it.each<[object, string[]]>([
    [{ bytes: { $contains: 2 } }, ['0', '3']],
    [{ shorts: { $containsAny: [4, 65_535] } }, ['1', '3']],
    [{ words: { $containsAll: [3, 1] } }, ['3']],
    [{ longs: { $contains: '-9223372036854775808' } }, ['0']],
    [{ bytes: null }, ['2']],
    [{ $not: { shorts: { $contains: 1 } } }, ['1', '2']],
  ])('are filtered by: %j', async (filter, ids) => {
    expect(Object.keys(await search(filter)).sort()).toEqual(ids);
  });

  it('come back in Arrow in their own types', async () => {
    const accept = { accept: 'application/vnd.apache.arrow.stream' };
    const response = await server.post('/v1/indexes/items/search', body({ id: { $in: ['0', '3'] } }), accept);
    const table = tableFromIPC(new Uint8Array(await response.arrayBuffer()));
    expect(table.schema.fields.slice(3).map(({ name, type }) => `${name} ${String(type)}`)).toEqual([
      'bytes List<Int8>',
      'shorts FixedSizeList[2]<Uint16>',
      'words List<Int32>',
      'longs List<Int64>',
    ]);
    const rows = table.toArray().map((row) => (row as { toJSON(): Record<string, Iterable<unknown> | null> }).toJSON());
    const of = (name: string) => rows.map((row) => row[name] && [...row[name]]);
    expect(of('bytes')).toEqual([[-1, 2], [2, 2]]); // prettier-ignore
    expect(of('shorts')).toEqual([[1, 2], [65_535, 1]]); // prettier-ignore
    expect(of('longs')).toEqual([[1n, -(2n ** 63n)], null]);
  });
});
