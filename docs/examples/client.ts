/** The TypeScript client against a server with the index `listings`. */
import { ShortlistClient, ShortlistClientError } from 'shortlist/client';

const client = new ShortlistClient('http://127.0.0.1:8080', { timeoutMs: 500 });
const { dim = 0 } = await client.index('listings');
const vector = new Float32Array(dim).fill(0.1); // your model's embedding

// One query.
const { candidates, quality } = await client.search('listings', {
  vector,
  k: 100,
  include: { attributes: ['title', 'price'] },
});
for (const { id, score, attributes } of candidates.slice(0, 3)) console.log(id, score, attributes?.['title']);
if (quality.short !== null) console.log(`fewer than k candidates: ${quality.short}`);

// Seeds, a filter and crowding.
const similar = await client.search('listings', {
  seeds: [{ vector }, { vector: new Float32Array(dim).fill(-0.1), weight: 0.5, quota: 5 }],
  filter: { category: { $in: ['kitchen', 'home'] }, price: { $lt: 40 } },
  crowding: { attribute: 'shop_id', limit: 2 },
  k: 20,
});
console.log(similar.candidates.map(({ seed }) => seed));

// A batch, sent as raw float32.
const { results } = await client.searchBatch('listings', { vectors: [vector, vector], k: 10 }, { form: 'binary' });
console.log(results.map((result) => result.candidates?.length));

// The answer as an Arrow stream, for tableFromIPC of apache-arrow.
const stream = await client.searchArrow('listings', { vector, k: 10 });
console.log(stream.length);

// An error has the server's code.
try {
  await client.search('listings', { id: 'no-such-id' });
} catch (error) {
  if (!(error instanceof ShortlistClientError)) throw error;
  console.log(error.code, error.status, error.message);
}
