/**
 * Examples of /openapi.json. They are requests that a server answers with 200, which a test proves of each: the index that
 * they ask has vectors of 4, items 123 and 456, and the attributes that they name.
 */

export interface Example {
  readonly summary: string;
  readonly value: Readonly<Record<string, unknown>>;
}

/** Bodies of a search by name. */
export const SEARCH_EXAMPLES = {
  vector: {
    summary: 'The items closest to a vector',
    value: { vector: [0.1, -0.2, 0.3, 0.4], k: 3, include: { attributes: ['title', 'price'] } },
  },
  base64: {
    summary: 'The same vector as base64 of float32, a third of the cost',
    value: { vector_b64: 'zczMPc3MTL6amZk+zczMPg==', k: 3 },
  },
  item: {
    summary: 'The items most like another one, without what the user has seen',
    value: { id: '123', k: 3, exclude_ids: ['456'] },
  },
  filter: {
    summary: 'Only items that meet a condition',
    value: {
      id: '123',
      k: 3,
      filter: {
        category: { $in: ['jewelry', 'kitchen'] },
        price: { $gte: 10, $lt: 50 },
        $or: [{ in_stock: true }, { tags: { $contains: 'handmade' } }],
      },
    },
  },
  seeds: {
    summary: 'What a user bought lately, the last one first',
    value: {
      seeds: [
        { id: '123', weight: 1, quota: 4 },
        { id: '456', weight: 0.8 },
      ],
      k: 5,
    },
  },
  crowding: {
    summary: 'At most one of each shop',
    value: { id: '123', k: 3, crowding: { attribute: 'shop_id', limit: 1 }, min_score: -1 },
  },
  batch: { summary: 'Several items at once', value: { ids: ['123', '456', 'no-such-id'], k: 2 } },
  exact: { summary: 'The truth, by a scan of every vector', value: { id: '123', k: 3, exact: true } },
  recall: {
    summary: 'The least work that finds 95 of 100',
    value: { id: '123', k: 10, target_recall: 0.95 },
  },
  deadline: {
    summary: 'Whatever is found within 50 ms',
    value: { id: '123', k: 3, timeout_ms: 50, allow_partial: true },
  },
  explain: {
    summary: 'How the answer was found, and why an item is not in it',
    value: { id: '123', k: 3, filter: { price: { $lt: 50 } }, explain: true, why_not: ['456'] },
  },
} satisfies Record<string, Example>;

export const ANSWER_EXAMPLES = [
  {
    index: 'listings',
    version: '20261123T041500Z-3f9c2a1b',
    took_ms: 0.21,
    candidates: [{ id: '123', score: 0.93, attributes: { title: 'walnut bowl' } }],
    quality: { path: 'graph', ef: 200, selectivity: 1, shards: { total: 1, answered: 1 }, short: null },
  },
];
