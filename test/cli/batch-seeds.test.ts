/** Batches of queries that are lists of items: each row is answered as the library's search with seeds. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Column, ColumnType } from '../../src/arrow/column.js';
import { columnValue } from '../../src/arrow/column-value.js';
import { openArrow } from '../../src/arrow/read/reader.js';
import { encodeArrow } from '../../src/arrow/write/encoder.js';
import { seededRandom } from '../../src/base/random.js';
import { openIndex, type OpenIndex, type Seed } from '../../src/retrieve/library/open-index.js';
import { publishVersion, temporaryFolder } from '../indexes.js';
import { call, callJson } from './call.js';

const root = temporaryFolder();
const path = (name: string): string => join(root, `.${name}`);
const at = ['--root', root];
const ROWS = 300;
let index: OpenIndex;

const TEXTS: ColumnType = { kind: 'list', item: { kind: 'utf8' }, size: null };
const FLOATS: ColumnType = { kind: 'list', item: { kind: 'float', bits: 64 }, size: null };

/** Null is a null list. */
function lists(type: ColumnType, rows: readonly (readonly (string | number)[] | null)[]): Column {
  const offsets = new Uint32Array(rows.length + 1);
  rows.forEach((row, i) => (offsets[i + 1] = offsets[i]! + (row?.length ?? 0)));
  const flat = rows.flatMap((row) => row ?? []);
  const base = { rows: flat.length, valid: null };
  const texts = flat.map((value) => Buffer.from(String(value)));
  const ends = new Uint32Array(flat.length + 1);
  texts.forEach((text, i) => (ends[i + 1] = ends[i]! + text.length));
  const items: Column =
    type === TEXTS
      ? { shape: 'strings', type: { kind: 'utf8' }, ...base, offsets: ends, bytes: Buffer.concat(texts) }
      : { shape: 'numbers', type: { kind: 'float', bits: 64 }, ...base, values: Float64Array.from(flat, Number) };
  const valid = Uint8Array.from(rows, (row) => (row === null ? 0 : 1));
  return { shape: 'lists', type, rows: rows.length, valid, offsets, items };
}

function writeQueries(name: string, ids: readonly (string[] | null)[], weights: readonly (number[] | null)[]): string {
  const fields = [
    { name: 'viewed', type: TEXTS, nullable: true },
    { name: 'weights', type: FLOATS, nullable: true },
  ];
  writeFileSync(path(name), encodeArrow('file', { fields }, [[lists(TEXTS, ids), lists(FLOATS, weights)]]));
  return path(name);
}

interface Row {
  readonly query: number;
  readonly id: string | number;
  readonly score: number;
  readonly seed: number;
  readonly seed_score: number;
}

async function readAnswers(file: string): Promise<Row[]> {
  const reader = await openArrow(file);
  const rows: Row[] = [];
  try {
    const names = reader.fields.map(({ name }) => name);
    expect(names).toEqual(['query', 'id', 'score', 'seed', 'seed_score']);
    for await (const chunk of reader.read([0, 1, 2, 3, 4]))
      for (let row = 0; row < chunk.rows; row++)
        rows.push(Object.fromEntries(chunk.columns.map((column, i) => [names[i]!, columnValue(column, row)])) as unknown as Row); // prettier-ignore
    return rows;
  } finally {
    await reader.close();
  }
}

beforeAll(async () => {
  await publishVersion(root, 'items', { rows: ROWS, dim: 8, shards: 2 });
  index = await openIndex(root, 'items');
});
afterAll(() => index.close());

describe('a batch of lists of items', () => {
  const seed = 17;
  const random = seededRandom(seed);
  const someIds = (): string[] => Array.from({ length: 1 + Math.floor(4 * random()) }, () => index.ids.text(Math.floor(ROWS * random()))); // prettier-ignore
  const queries = (): (string[] | null)[] => Array.from({ length: 150 }, (_, i) => (i % 40 === 7 ? null : i % 40 === 9 ? [] : someIds())); // prettier-ignore

  it.each([
    ['plain', [], {}],
    ['with a filter', ['--filter', '{"price": {"$gte": 100}}'], { filter: { price: { $gte: 100 } } }],
    ['crowded', ['--crowding', 'generation:2'], { crowding: { attribute: 'generation', limit: 2 } }],
    ['exact', ['--exact'], { exact: true }],
  ] as const)('%s has the answers of the library, row by row (seed 17)', async (name, flags, options) => {
    const ids = queries();
    const weights = ids.map((row) => row && row.map(() => 0.1 + random()));
    const file = writeQueries(name, ids, weights);
    const out = path(`${name}-answers`);
    const args = ['batch', 'items', '--queries', file, '--seed-column', 'viewed', '--weight-column', 'weights', '--out', out, '-k', '10']; // prettier-ignore
    const { json } = await callJson([...args, ...flags, ...at]);
    expect(json).toMatchObject({ queries: 150, warnings: [] });
    const expected = ids.flatMap((row, query) => {
      if (row === null || row.length === 0) return [];
      const seeds = row.map((id, i): Seed => ({ id, weight: weights[query]![i]! }));
      const answer = index.searchSeeds(seeds, { k: 10, ...options });
      return answer.ids.map((id, i) => ({ query, id, score: answer.scores[i], seed: answer.seeds![i], seed_score: answer.seedScores![i] })); // prettier-ignore
    });
    expect((await readAnswers(out)).map((row) => ({ ...row, id: String(row.id), score: Math.fround(row.score), seed_score: Math.fround(row.seed_score) }))).toEqual(expected); // prettier-ignore
  });

  it('leaves out ids that the index does not have, counts them, and keeps the positions of the others', async () => {
    const [first, second] = [index.ids.text(0), index.ids.text(1)];
    const file = writeQueries('gone', [['gone', first, 'lost', second], ['gone']], [null, null]);
    const { json, stderr } = await callJson(['batch', 'items', '--queries', file, '--seed-column', 'viewed', '--out', path('gone-answers'), '-k', '5', ...at]); // prettier-ignore
    expect(json).toMatchObject({ queries: 2, candidates: 5, warnings: ['3 ids of seeds are not in the index and were left out'] }); // prettier-ignore
    expect(stderr).toContain('warning: 3 ids of seeds are not in the index');
    const rows = await readAnswers(path('gone-answers'));
    expect(new Set(rows.map((row) => row.query))).toEqual(new Set([0]));
    for (const row of rows) expect([1, 3]).toContain(row.seed);
  });

  it.each([
    ['another number of weights', [['1']], [[1, 2]], ['--weight-column', 'weights'], 'input_unsupported', /row 0 has 1 ids and 2 numbers in "weights"/],
    ['a weight of 0', [['1']], [[0]], ['--weight-column', 'weights'], 'input_unsupported', /row 0 has the weight 0/],
    ['a fractional quota', [['1']], [[1.5]], ['--quota-column', 'weights'], 'input_unsupported', /row 0 has the quota 1.5/],
    ['too many seeds', [Array.from({ length: 101 }, () => '1')], [null], [], 'input_unsupported', /row 0 has 101 seeds; a search has at most 100/],
    ['a column that is not there', [['1']], [null], ['--weight-column', 'w'], 'column_missing', /no column "w"; its columns are viewed, weights/],
    ['weights that are texts', [['1']], [null], ['--weight-column', 'viewed'], 'column_type', /"viewed" is .*seeds need a list of numbers/],
    ['a vector column', [['1']], [null], ['--vector-column', 'v'], 'usage', /--vector-column has no effect together with --seed-column/],
  ] as const)('refuses %s, naming it', async (name, ids, weights, flags, code, message) => {
    const file = writeQueries(`bad-${code}`, ids as unknown as string[][], weights as unknown as (number[] | null)[]);
    const { json } = await callJson(['batch', 'items', '--queries', file, '--seed-column', 'viewed', '--out', path(name), ...flags, ...at]);
    expect(json['error']).toMatchObject({ code, message: expect.stringMatching(message) as string });
  }); // prettier-ignore

  it('explains the flags in its help', async () => {
    expect((await call(['batch', '--help'])).stdout).toMatch(/--seed-column <name>\s+column of lists of ids/);
  });
});
