import { tableFromIPC } from 'apache-arrow';
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { embedTitles, makeCatalog } from '../../scripts/catalog.js';
import { EMBEDDING_DIM, embedText, splitWords } from '../../scripts/catalog/embed-text.js';
import { CATEGORIES } from '../../scripts/catalog/grammar.js';
import { makeListings } from '../../scripts/catalog/listings.js';
import { dot } from '../../src/base/metric.js';

const ROWS = 10_000;
const listings = makeListings({ rows: ROWS, seed: 42 });
const vectors = embedTitles(listings.titles);

/** Rows by cosine with the query, best first. */
function nearestRows(query: Float32Array, count: number): number[] {
  const scores = new Float32Array(ROWS);
  for (let row = 0; row < ROWS; row++) scores[row] = dot(query, 0, vectors, row * EMBEDDING_DIM, EMBEDDING_DIM);
  const rows = Uint32Array.from(scores.keys()).sort((a, b) => scores[b]! - scores[a]! || a - b);
  return [...rows.subarray(0, count)];
}

describe('the catalog', () => {
  it('has the same bytes for the same rows and seed, made again in the same process', () => {
    const sha256 = (seed: number): string =>
      createHash('sha256')
        .update(makeCatalog({ rows: 500, seed }))
        .digest('hex');
    expect(sha256(7)).toBe(sha256(7));
    expect(sha256(8)).not.toBe(sha256(7));
  });

  it('is an Arrow file with the columns that the demo searches', () => {
    const table = tableFromIPC(makeCatalog({ rows: 300, seed: 42 }));
    expect(table.numRows).toBe(300);
    expect(table.schema.fields.map((field) => `${field.name}: ${String(field.type)}`)).toEqual([
      'id: Int64',
      'title: Utf8',
      'category: Dictionary<Int16, Utf8>',
      'shop_id: Int32',
      'price: Float64',
      'created_at: Timestamp<MILLISECOND, UTC>',
      'tags: List<Utf8>',
      'embedding: FixedSizeList[128]<Float32>',
    ]);
    const first = table.get(0)!.toJSON();
    expect(first['title']).toBe(listings.titles[0]);
    expect(first['category']).toBe(listings.categories[0]);
    expect(first['id']).toBe(listings.ids[0]);
  });

  it('has distinct ids, nearly always distinct titles, and every category', () => {
    expect(new Set(listings.ids).size).toBe(ROWS);
    expect(new Set(listings.titles).size).toBeGreaterThan(0.99 * ROWS);
    expect(new Set(listings.categories)).toEqual(new Set(Object.keys(CATEGORIES)));
  });

  it('prices a thing inside the range of its kind, in whole cents', () => {
    const objects = Object.values(CATEGORIES).flatMap((category) => category.objects);
    for (const [row, price] of listings.prices.entries()) {
      const object = objects.find(({ noun }) => noun === listings.nouns[row]!)!;
      expect(price).toBeGreaterThanOrEqual(object.priceLow);
      expect(price).toBeLessThan(object.priceHigh + 1);
      expect(Math.round(price * 100) / 100).toBe(price);
    }
  });
});

describe('the embedding of a text', () => {
  it('has 128 components and unit length', () => {
    const vector = embedText('Hand-turned walnut wood salad bowl');
    expect(vector).toHaveLength(EMBEDDING_DIM);
    expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
  });

  it('does not see case, punctuation, plural or the words that say nothing', () => {
    expect(embedText('The WALNUT bowls!')).toEqual(embedText('walnut bowl'));
    expect(splitWords('A set of 2 wine-glasses')).toEqual(['set', '2', 'wine', 'glasse']);
  });

  it('is the zero vector for a text without a word', () => {
    expect(embedText(' - ').every((value) => value === 0)).toBe(true);
  });

  it('puts things of the same kind next to each other', () => {
    const sampled = Array.from({ length: 100 }, (_, i) => i * 100);
    const same = sampled.map((row) => {
      const query = vectors.subarray(row * EMBEDDING_DIM, (row + 1) * EMBEDDING_DIM);
      const neighbours = nearestRows(query, 11).filter((neighbour) => neighbour !== row);
      return neighbours.filter((neighbour) => listings.nouns[neighbour] === listings.nouns[row]).length / 10;
    });
    const mean = same.reduce((total, share) => total + share, 0) / same.length;
    expect(mean).toBeGreaterThan(0.95);
  });

  it.each([
    ['walnut wood bowl', 'bowl', /wood/i],
    ['opal engagement ring', 'ring', /opal|engagement/i],
    ['merino wool scarf', 'scarf', /wool/i],
    ['lether bifold wallet', 'wallet', /leather|bifold/i],
  ])('answers "%s" with what a reader expects', (text, noun, material) => {
    const rows = nearestRows(embedText(text), 10);
    expect(rows.filter((row) => listings.nouns[row] === noun).length).toBeGreaterThanOrEqual(9);
    expect(rows.filter((row) => material.test(listings.titles[row]!)).length).toBeGreaterThanOrEqual(7);
  });
});
