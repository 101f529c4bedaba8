/**
 * Two stages. shortlist retrieves 200 candidates that are close to what a user looked at lately; a ranking model scores
 * each of them with more features and keeps the best ten. The model here is a formula; put yours in `rank`.
 */
import { ShortlistClient, type Candidate } from 'shortlist/client';

const client = new ShortlistClient('http://127.0.0.1:8080', { timeoutMs: 100 });

interface User {
  /** Items that the user looked at, newest first. */
  readonly history: readonly string[];
  readonly usualPrice: number;
}

/** Stage 1: 200 candidates, from one version, at most three per shop, without what the user has seen. */
async function retrieve(user: User): Promise<{ version: string; candidates: readonly Candidate[] }> {
  return client.search('listings', {
    seeds: user.history.map((id, i) => ({ id, weight: 0.8 ** i })), // older items count less
    exclude_ids: user.history,
    crowding: { attribute: 'shop_id', limit: 3 },
    include: { attributes: ['title', 'price', 'shop_id'] },
    k: 200,
    timeout_ms: 50,
    allow_partial: true, // if time runs out, return what was found by then
  });
}

/** Stage 2: the price that the user usually pays matters beside the similarity. */
function rank(user: User, { score, attributes }: Candidate): number {
  const price = Number(attributes?.['price'] ?? Infinity);
  return score - 0.1 * Math.abs(Math.log(price / user.usualPrice));
}

const user: User = { history: ['4300127040', '4300008828'], usualPrice: 45 };
const { version, candidates } = await retrieve(user);
const best = candidates
  .map((candidate) => ({ candidate, rank: rank(user, candidate) }))
  .sort((a, b) => b.rank - a.rank)
  .slice(0, 10);

// Log the version with the impression: training data then knows which index the candidates came from.
console.log(`${candidates.length} candidates of listings@${version}`);
for (const { candidate, rank: value } of best) {
  console.log(value.toFixed(3), candidate.id, candidate.attributes?.['title'], candidate.attributes?.['price']);
}
