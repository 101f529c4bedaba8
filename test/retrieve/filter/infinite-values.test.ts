/** Infinite attributes from the input to answers: JSON has no word for them, so that texts stand for them, in filters as well. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ColumnType } from '../../../src/arrow/column.js';
import { encodeArrow } from '../../../src/arrow/write/encoder.js';
import { buildIndex } from '../../../src/builder/build-index.js';
import { publish } from '../../../src/version/state/publish.js';
import { buildOptions, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../../serve/server.js';
import { columnOf, type Value } from './stores.js';

const FLOAT = (bits: 16 | 32 | 64): ColumnType => ({ kind: 'float', bits });
const VALUES: readonly Value[] = [Infinity, -Infinity, NaN, 1.5];

let server: TestServer;
const root = temporaryFolder();

beforeAll(async () => {
  const vector: ColumnType = { kind: 'list', item: FLOAT(32), size: 2 };
  const all: Record<string, { readonly type: ColumnType; readonly values: readonly Value[] }> = {
    id: { type: { kind: 'int', bits: 64, signed: true }, values: [0n, 1n, 2n, 3n] },
    embedding: { type: vector, values: [[1, 0], [0, 1], [-1, 0], [0, -1]] },
    single: { type: FLOAT(32), values: VALUES },
    double: { type: FLOAT(64), values: VALUES },
  }; // prettier-ignore
  const fields = Object.entries(all).map(([name, { type }]) => ({ name, type, nullable: true }));
  const input = join(root, 'items.arrow');
  const columns = Object.values(all).map(({ type, values }) => columnOf(type, values));
  writeFileSync(input, encodeArrow('file', { fields }, [columns]));
  const parameters = { m: 4, efConstruction: 8, seed: 1 };
  const { manifest } = await buildIndex(buildOptions(root, 'items', [input], { parameters }));
  await publish(root, 'items', manifest.version);
  server = await TestServer.start(root, ['--workers', '1']);
});
afterAll(async () => expect(await server.stop()).toBe(0));

async function search(filter: object): Promise<Record<string, unknown>> {
  const response = await server.search({ vector: [1, 0.5], k: 4, filter, include: { attributes: true } }, 'items');
  const { candidates } = (await response.json()) as { candidates: { id: string; attributes: unknown }[] };
  return Object.fromEntries(candidates.map(({ id, attributes }) => [id, attributes]));
}

it('infinite attributes come back as texts, NaN as null', async () => {
  expect(await search({})).toEqual({
    0: { single: 'Infinity', double: 'Infinity' },
    1: { single: '-Infinity', double: '-Infinity' },
    2: { single: null, double: null },
    3: { single: 1.5, double: 1.5 },
  });
});

it.each<[object, string[]]>([
  [{ double: 'Infinity' }, ['0']],
  [{ single: { $in: ['-Infinity', 1.5] } }, ['1', '3']],
  [{ double: { $gt: 1e308 } }, ['0']],
  [{ single: { $lt: 1e39 } }, ['1', '3']],
  [{ double: { $lte: 'Infinity' } }, ['0', '1', '3']],
  [{ single: null }, ['2']],
  [{ double: { $ne: 'Infinity' } }, ['1', '3']],
])('and are filtered by them: %j', async (filter, ids) => {
  expect(Object.keys(await search(filter)).sort()).toEqual(ids);
});
