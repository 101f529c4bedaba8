/**
 * Makes the demo's catalog: marketplace listings with embeddings of their titles, as one Arrow IPC file.
 *
 *     npx tsx scripts/catalog.ts --rows 50000 --seed 42 --out .demo/listings.arrow
 *
 * Equal rows and seed give equal bytes.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import {
  Dictionary,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int16,
  Int32,
  Int64,
  List,
  RecordBatch,
  Schema,
  Struct,
  Table,
  TimestampMillisecond,
  Utf8,
  makeData,
  tableToIPC,
  vectorFromArray,
} from 'apache-arrow';
import type { Data } from 'apache-arrow';
import { EMBEDDING_DIM, embedText } from './catalog/embed-text.js';
import { CATEGORIES } from './catalog/grammar.js';
import { makeListings } from './catalog/listings.js';
import type { CatalogOptions, Listings } from './catalog/listings.js';

export const DEFAULT_ROWS = 50_000;
export const DEFAULT_SEED = 42;

/** The catalog as the bytes of an Arrow IPC file of one record batch. */
export function makeCatalog(options: CatalogOptions): Uint8Array {
  const listings = makeListings(options);
  const columns = toColumns(listings, embedTitles(listings.titles));
  const schema = new Schema(Object.entries(columns).map(([name, data]) => new Field(name, data.type, false)));
  const struct = makeData({
    type: new Struct(schema.fields),
    length: listings.rows,
    nullCount: 0,
    children: Object.values(columns),
  });
  return tableToIPC(new Table(schema, new RecordBatch(schema, struct)), 'file');
}

/** rows x 128 values, row after row. */
export function embedTitles(titles: readonly string[]): Float32Array {
  const vectors = new Float32Array(titles.length * EMBEDDING_DIM);
  for (const [row, title] of titles.entries()) vectors.set(embedText(title), row * EMBEDDING_DIM);
  return vectors;
}

function toColumns(listings: Listings, vectors: Float32Array): Record<string, Data> {
  return {
    id: makeData({ type: new Int64(), data: listings.ids }),
    title: stringData(listings.titles),
    category: categoryData(listings.categories),
    shop_id: makeData({ type: new Int32(), data: listings.shopIds }),
    price: makeData({ type: new Float64(), data: listings.prices }),
    created_at: makeData({ type: new TimestampMillisecond('UTC'), data: listings.createdAt }),
    tags: tagData(listings.tags),
    embedding: vectorData(vectors, listings.rows),
  };
}

function stringData(values: readonly string[]): Data<Utf8> {
  const encoded = values.map((value) => Buffer.from(value));
  return makeData({ type: new Utf8(), valueOffsets: offsetsOf(encoded), data: Buffer.concat(encoded) });
}

function tagData(tags: readonly (readonly string[])[]): Data<List<Utf8>> {
  const child = stringData(tags.flat());
  return makeData({ type: new List(new Field('item', child.type, false)), valueOffsets: offsetsOf(tags), child });
}

function offsetsOf(values: readonly { readonly length: number }[]): Int32Array {
  const offsets = new Int32Array(values.length + 1);
  for (const [i, value] of values.entries()) offsets[i + 1] = offsets[i]! + value.length;
  return offsets;
}

function categoryData(categories: readonly string[]): Data<Dictionary<Utf8, Int16>> {
  const names = Object.keys(CATEGORIES);
  const codes = new Map(names.map((name, code) => [name, code]));
  return makeData({
    // With a fixed id: the library's own counter would give the second catalog other bytes than the first.
    type: new Dictionary(new Utf8(), new Int16(), 0),
    data: Int16Array.from(categories, (name) => codes.get(name)!),
    dictionary: vectorFromArray(names, new Utf8()),
  });
}

function vectorData(vectors: Float32Array, rows: number): Data<FixedSizeList> {
  const type = new FixedSizeList(EMBEDDING_DIM, new Field('item', new Float32(), false));
  return makeData({ type, length: rows, nullCount: 0, child: makeData({ type: new Float32(), data: vectors }) });
}

function main(): void {
  const { values } = parseArgs({
    options: {
      rows: { type: 'string', default: String(DEFAULT_ROWS) },
      seed: { type: 'string', default: String(DEFAULT_SEED) },
      out: { type: 'string', default: '.demo/listings.arrow' },
    },
  });
  const bytes = makeCatalog({ rows: wholeNumber('--rows', values.rows), seed: wholeNumber('--seed', values.seed) });
  mkdirSync(dirname(values.out), { recursive: true });
  writeFileSync(values.out, bytes);
  process.stderr.write(`${values.out}: ${values.rows} listings, ${(bytes.length / 1e6).toFixed(1)} MB\n`);
}

function wholeNumber(flag: string, text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 1e7) {
    throw new RangeError(`${flag} must be a whole number from 0 to 10,000,000, not "${text}"`);
  }
  return value;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) main();
