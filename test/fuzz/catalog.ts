/** Small indexes of which every row is known: what a server answers about them can be judged to the last candidate. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ArrowField, Column, ColumnType } from '../../src/arrow/column.js';
import { encodeArrow } from '../../src/arrow/write/encoder.js';
import type { Metric } from '../../src/base/metric.js';
import { seededRandom } from '../../src/base/random.js';
import { shortlist } from '../cli/process.js';
import { makeVectors } from '../indexes.js';
import type { Row } from '../retrieve/filter/naive.js';
import { TYPES, makeColumn, pick, rowOf } from '../retrieve/filter/random-filters.js';
import { columnOf, type TestColumn } from '../retrieve/filter/stores.js';

export const DIM = 8;

export interface Catalog {
  readonly index: string;
  readonly metric: Metric;
  readonly ids: readonly string[];
  readonly ordinals: ReadonlyMap<string, number>;
  /** As they were given to the build. */
  readonly vectors: Float32Array;
  readonly columns: readonly TestColumn[];
  /** By ordinal, on the scale of filters' literals. */
  /** The id is what filters call `id`. */
  readonly rows: readonly Row[];
}

interface CatalogSpec {
  readonly index: string;
  readonly metric: Metric;
  readonly rows: number;
  readonly shards: number;
  readonly textIds: boolean;
  readonly seed: number;
}

/** Cosine with texts as ids over shards, and Euclidean with numbers as ids in one. */
const SPECS: readonly CatalogSpec[] = [
  { index: 'listings', metric: 'cosine', rows: 400, shards: 3, textIds: true, seed: 11 },
  { index: 'points', metric: 'l2', rows: 250, shards: 1, textIds: false, seed: 12 },
];

/** Builds and publishes them, without a calibration. */
export async function publishCatalogs(root: string): Promise<Catalog[]> {
  const catalogs: Catalog[] = [];
  for (const spec of SPECS) catalogs.push(await publishCatalog(root, spec));
  return catalogs;
}

async function publishCatalog(root: string, spec: CatalogSpec): Promise<Catalog> {
  const { index, metric, shards, rows } = spec;
  const random = seededRandom(spec.seed);
  const vectors = makeVectors(rows, DIM, spec.seed);
  // Twins, whose order only their positions decide.
  vectors.copyWithin(10 * DIM, 0, 5 * DIM);
  const ids = Array.from({ length: rows }, (_, row) => (spec.textIds ? makeId(random, row) : String(row * 3)));
  const columns = TYPES.map((type, i) => makeColumn(random, `${type.kind}_${i}`, type, rows));
  const input = join(root, `.${index}.arrow`);
  writeFileSync(input, encodeCatalog(spec, ids, vectors, columns));
  const options = [
    '--metric',
    metric,
    '--shards',
    String(shards),
    '--no-calibrate',
    '--force',
    '--reason',
    'a test',
    '--publish',
  ];
  const { code, stderr } = await shortlist(['build', index, '--input', input, '--root', root, ...options]);
  if (code !== 0) throw new Error(stderr);
  rmSync(input);
  const ordinals = new Map(ids.map((id, ordinal) => [id, ordinal]));
  return {
    index,
    metric,
    ids,
    ordinals,
    vectors,
    columns,
    rows: ids.map((id, row) => new Map([...rowOf(columns, row), ['id', id]])),
  };
}

/** Ids as people have them, and some that JSON, URLs and HTTP would stumble over. */
function makeId(random: () => number, row: number): string {
  return `${pick(random, ['item-', '', '00', 'a/b?c=', 'ü ', '"\\', '日本', '%2F', '\u0001'])}${row}`;
}

function encodeCatalog(
  { textIds }: CatalogSpec,
  ids: readonly string[],
  vectors: Float32Array,
  columns: readonly TestColumn[],
): Uint8Array {
  const idType: ColumnType = textIds ? { kind: 'utf8' } : { kind: 'int', bits: 64, signed: true };
  const fields = [
    { name: 'id', type: idType, nullable: false, label: '' },
    { name: 'embedding', type: vectorType(), nullable: false, label: '' },
    ...columns.map(({ name, type }): ArrowField => ({ name, type, nullable: true, label: '' })),
  ];
  const values = [
    columnOf(idType, textIds ? ids : ids.map(BigInt)),
    vectorColumn(vectors),
    ...columns.map(({ type, values }) => columnOf(type, values)),
  ];
  return encodeArrow('file', { fields }, [values]);
}

function vectorType(): ColumnType {
  return { kind: 'list', item: { kind: 'float', bits: 32 }, size: DIM };
}

function vectorColumn(vectors: Float32Array): Column {
  const rows = vectors.length / DIM;
  const offsets = Uint32Array.from({ length: rows + 1 }, (_, row) => row * DIM);
  const item: ColumnType = { kind: 'float', bits: 32 };
  const items: Column = { shape: 'numbers', type: item, rows: vectors.length, valid: null, values: vectors };
  return { shape: 'lists', type: vectorType(), rows, valid: null, offsets, items };
}

/** An Arrow stream with these vectors, as a client sends them. */
export function encodeQueries(vectors: Float32Array): Uint8Array {
  const field = { name: 'vector', type: vectorType(), nullable: false };
  return encodeArrow('stream', { fields: [field] }, [[vectorColumn(vectors)]]);
}
