/** The same engine in your own process, without a server. */
import { openIndex } from 'shortlist';

const index = await openIndex('indexes', 'listings'); // or { version: 'canary' }
console.log(index.manifest.count, index.manifest.dim, index.manifest.metric);

// One query; synchronous.
const query = new Float32Array(index.manifest.dim).fill(0.1);
const { ids, scores, quality } = index.search(query, { k: 10 });
console.log(ids[0], scores[0], quality.path);

// Many queries end to end in one array, on all cores.
const queries = new Float32Array(2 * index.manifest.dim).fill(0.1);
const answers = await index.searchBatch(queries, { k: 10, exact: true });
console.log(answers.length);

// Restricted and explained.
const few = index.search(query, {
  k: 10,
  filter: { price: { $lt: 40 } },
  excludeIds: [ids[0]!],
  minScore: -1,
  explain: true,
});
console.log(few.quality.selectivity, few.explain?.shards[0]?.plan);

// Several seeds, one answer.
const blended = index.searchSeeds(
  [
    { id: ids[0]!, weight: 2 },
    { vector: query, quota: 5 },
  ],
  { k: 10 },
);
console.log(blended.ids[0], blended.seeds?.[0], blended.seedScores?.[0]);

await index.close();
