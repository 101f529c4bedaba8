/**
 * One query over all shards of a version: fan out, merge, and search again where a shard may hold more.
 *
 * Rows are spread over shards by a hash, so each is asked for its part of k and ef with some to spare
 * (shard-share.ts); one whose last candidate is among the k best may hold more of them and is searched deeper, until
 * none is. The answer is what asking every shard for all k would give, in the contract's order, whatever the order in
 * which shards answered.
 *
 * Runs at once (`runShards`), or up to the walks and scans that are too long for the calling thread (`beginShards`),
 * which the engine's thread and a pool make (`finishShards`).
 */
import { Bitset } from '../../base/bitset.js';
import { MAX_K } from '../../base/limits.js';
import { isBetter } from '../../base/top-k.js';
import type { ShardAnswer, ShardQuery } from '../../engine/engine.js';
import type { ExactSearch } from '../../engine/exact-search.js';
import type { Answer } from './answer.js';
import { isLongWalk } from './long-walk.js';
import { mergeParts, type Best, type ShardPart } from './merge.js';
import { copyAllowed, countAllowed, rowsLeftOut, type SearchPlan } from './search-plan.js';
import { answerOf, explainScan, explainSearch, type Trace } from './shard-answer.js';
import { deeperDepth, firstDepth, type Depth } from './shard-share.js';
import type { LoadedShard } from '../load/shards.js';

/** Components that are scanned on the spot: about 0.4 ms, so that ten graph searches take longer. */
export const SHORT_SCAN = 2 ** 20;

/** A search of which some shards have to be searched still: those without a part. */
export interface OpenShards {
  readonly query: Float32Array;
  readonly plan: SearchPlan;
  /** By shard; `finishShards` fills in what is missing. */
  readonly parts: (ShardPart | null)[];
  /** How deep a shard is to be walked; undefined where it is scanned. */
  readonly depths: (Depth | undefined)[];
  readonly trace?: Trace | undefined;
}

/** Runs a plan on the calling thread. Knows nothing of crowding. */
export function runShards(shards: readonly LoadedShard[], query: Float32Array, plan: SearchPlan): Answer {
  if (isPlain(shards, plan)) return searchPlain(shards, query, plan, seekGraph)!;
  const open = openShards(shards, query, plan);
  const best = fill(shards, open, plan.exact ? seekExact : seekGraph)!;
  return answerOf(open, best);
}

/**
 * As `runShards`, up to what takes long: walks of thousands of nodes, and scans, where a graph cannot answer or none
 * is wanted.
 */
export function beginShards(
  shards: readonly LoadedShard[],
  query: Float32Array,
  plan: SearchPlan,
): Answer | OpenShards {
  const plain = isPlain(shards, plan) ? searchPlain(shards, query, plan, seekShort) : null;
  if (plain !== null) return plain;
  const open = openShards(shards, query, plan);
  if (plan.exact) return open;
  const best = fill(shards, open, seekShort);
  return best === null ? open : answerOf(open, best);
}

/**
 * Makes the walks that are left on the engine's thread, and the scans on the pool's.
 * @param signal aborting it ends them and rejects with its reason; the shards that were searched by then have their
 * parts
 */
export async function finishShards(
  shards: readonly LoadedShard[],
  pool: Pick<ExactSearch, 'search'>,
  open: OpenShards,
  signal?: AbortSignal,
): Promise<Answer> {
  for (;;) {
    const missing = open.parts.flatMap((part, position) => (part === null ? [position] : []));
    await Promise.all(missing.map((position) => searchElsewhere(shards, pool, open, position, signal)));
    const best = deepen(shards, open, seekShort);
    if (best !== null) return answerOf(open, best);
  }
}

/** The best of the shards that have answered; `short` is `timeout` where some have not. */
export function shardsSoFar(shards: readonly LoadedShard[], open: OpenShards): Answer {
  const { parts, plan } = open;
  const answer = answerOf(open, mergeParts(shards, parts, plan.k));
  if (isComplete(parts)) return answer;
  return { ...answer, quality: { ...answer.quality, short: 'timeout' } };
}

/** Before any shard has answered. */
export function openShards(shards: readonly LoadedShard[], query: Float32Array, plan: SearchPlan): OpenShards {
  const trace = plan.explain ? { shards: [], begun: performance.now(), merge_us: 0 } : undefined;
  return { query, plan, parts: shards.map(() => null), depths: [], trace };
}

/** What a search leaves to others. */
type Elsewhere = 'walk' | 'scan';

/** How one shard, of so many, is searched, or what that takes where it takes too long. */
type Seek = (
  shard: LoadedShard,
  query: Float32Array,
  options: ShardQuery,
  allowed: number,
  shards: number,
) => ShardAnswer | Elsewhere;

const seekExact: Seek = ({ graph, exact, everyRow }, query, options) =>
  graph.scanRows === undefined || options.k > MAX_K
    ? exact.search(query, options)
    : graph.scanRows(query, { ...options, allow: options.allow ?? everyRow });
const seekGraph: Seek = ({ graph }, query, options) => graph.search(query, options);
const seekShort: Seek = ({ graph }, query, options, allowed, shards) => {
  if (graph.searchLater !== undefined && isLongWalk(options, graph.vectors, allowed, shards)) return 'walk';
  if (graph.searchGraph === undefined || allowed * graph.vectors.dim <= SHORT_SCAN) return graph.search(query, options);
  return graph.searchGraph(query, options) ?? 'scan';
};

/** The usual search, of all rows of the only shard: what it takes to go over several takes as long as a short walk. */
function isPlain(shards: readonly LoadedShard[], { exact, explain, passing, self, excluded }: SearchPlan): boolean {
  return shards.length === 1 && !exact && !explain && passing === null && self === null && excluded[0]!.length === 0;
}

/** @returns null where the shard is left to be searched elsewhere */
function searchPlain(shards: readonly LoadedShard[], query: Float32Array, plan: SearchPlan, seek: Seek): Answer | null {
  const { k, ef } = plan;
  const part = seek(shards[0]!, query, { k, ef }, shards[0]!.ordinals.length, 1);
  return typeof part === 'string' ? null : answerOf({ plan, parts: [part] }, mergeParts(shards, [part], k));
}

/** @returns null where a shard is left to be searched elsewhere */
function fill(shards: readonly LoadedShard[], open: OpenShards, seek: Seek): Best | null {
  const { plan, parts } = open;
  const allowed = shards.map(({ ordinals }, position) => countAllowed(plan, position, ordinals.length));
  const total = allowed.reduce((sum, count) => sum + count, 0);
  for (let position = 0; position < shards.length; position++) {
    const depth = plan.exact ? plan : firstDepth(plan, allowed[position]!, total);
    parts[position] = seekIn(shards, open, position, depth, seek);
  }
  return deepen(shards, open, seek);
}

/** Searches again where more may be, which doubles what is known of a shard each time. */
function deepen(shards: readonly LoadedShard[], open: OpenShards, seek: Seek): Best | null {
  const { plan, trace } = open;
  for (;;) {
    const parts: readonly (ShardPart | null)[] = open.parts;
    if (!isComplete(parts)) return null;
    const before = trace && performance.now();
    const best = mergeParts(shards, parts, plan.k);
    if (trace !== undefined) trace.merge_us += (performance.now() - before!) * 1000;
    const shallow = parts.flatMap((part, position) =>
      mayHoldMore(part, position, shards, plan, best) ? [position] : [],
    );
    if (shallow.length === 0) return best;
    for (const position of shallow) {
      const depth = deeperDepth(plan, parts[position]!.rows.length);
      open.parts[position] = seekIn(shards, open, position, depth, seek);
    }
  }
}

/** True where a shard's last candidate is among the best, so that its next one may be. */
function mayHoldMore(
  { rows, scores, hasAll }: ShardPart,
  position: number,
  shards: readonly LoadedShard[],
  { k, minScore }: SearchPlan,
  best: Best,
): boolean {
  const last = rows.length - 1;
  if (hasAll || rows.length >= k || scores[last]! < minScore) return false;
  if (best.scores.length < k) return true;
  return isBetter(scores[last]!, shards[position]!.ordinals[rows[last]!]!, best.scores[k - 1]!, best.ordinals[k - 1]!);
}

function isComplete(parts: readonly (ShardPart | null)[]): parts is readonly ShardPart[] {
  return !parts.includes(null);
}

function seekIn(
  shards: readonly LoadedShard[],
  { query, plan, depths, trace }: OpenShards,
  position: number,
  { k, ef }: Depth,
  seek: Seek,
): ShardPart | null {
  const shard = shards[position]!;
  const allowed = countAllowed(plan, position, shard.ordinals.length);
  if (allowed === 0) return NOTHING;
  const begun = trace && performance.now();
  const found = withAllowed(shard, plan, position, (rows) =>
    seek(shard, query, { k, ef, plan: plan.way, ...rows }, allowed, shards.length),
  );
  if (typeof found === 'string') {
    depths[position] = found === 'walk' ? { k, ef } : undefined;
    return null;
  }
  trace?.shards.push(explainSearch(shard, plan, { shard: position, k, ef, allowed, found, begun: begun! }));
  return asPart(found, k, allowed);
}

function asPart({ rows, scores, path }: ShardAnswer, k: number, allowed: number): ShardPart {
  return { rows, scores, path, hasAll: rows.length < k || rows.length === allowed };
}

const NOTHING: ShardPart = { rows: new Uint32Array(0), scores: new Float32Array(0), path: 'exact', hasAll: true };

/** Has one shard searched for the rows that may come back. */
function withAllowed<T>(
  shard: LoadedShard,
  plan: SearchPlan,
  position: number,
  search: (rows: Pick<ShardQuery, 'allow' | 'allowCount' | 'allowList'>) => T,
): T {
  const passing = plan.passing?.[position];
  const leftOut = rowsLeftOut(plan, position);
  const size = shard.ordinals.length;
  const count = passing?.count ?? size;
  if (count === size && leftOut.length === 0) return search({});
  if (passing !== undefined) {
    // What passes a filter is kept for others, so what is left out is taken from a copy.
    const own = leftOut.length === 0 ? passing.words : passing.words.slice();
    const allow = new Bitset(size, own);
    for (const row of leftOut) allow.delete(row);
    return search({ allow, allowCount: count - leftOut.length, allowList: passing.list });
  }
  // The shard's own set serves all searches: they are synchronous, so it is whole again before the next one looks.
  const allow = shard.everyRow;
  for (const row of leftOut) allow.delete(row);
  try {
    return search({ allow, allowCount: count - leftOut.length });
  } finally {
    for (const row of leftOut) allow.add(row);
  }
}

async function searchElsewhere(
  shards: readonly LoadedShard[],
  pool: Pick<ExactSearch, 'search'>,
  open: OpenShards,
  position: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (await walkShard(shards, open, position, signal)) return;
  await scanShard(shards, pool, open, position, signal);
}

/** @returns false where the shard is to be scanned */
async function walkShard(
  shards: readonly LoadedShard[],
  { query, plan, parts, depths, trace }: OpenShards,
  position: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const shard = shards[position]!;
  const { graph } = shard;
  const depth = depths[position];
  if (depth === undefined || graph.searchLater === undefined) return false;
  const begun = performance.now();
  const size = shard.ordinals.length;
  const allowed = countAllowed(plan, position, size);
  const allow = copyAllowed(plan, position, size);
  const allowList = plan.passing?.[position]!.list;
  const options = { ...depth, plan: plan.way, ...(allow && { allow, allowCount: allowed, allowList }) };
  const found = await graph.searchLater(query, options, signal);
  if (found === null) return false;
  trace?.shards.push(explainSearch(shard, plan, { shard: position, ...depth, allowed, found, begun }, found.account));
  parts[position] = asPart(found, depth.k, allowed);
  return true;
}

async function scanShard(
  shards: readonly LoadedShard[],
  pool: Pick<ExactSearch, 'search'>,
  { query, plan, parts, trace }: OpenShards,
  position: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const shard = shards[position]!;
  const { vectors } = shard.graph;
  const begun = performance.now();
  const allow = [copyAllowed(plan, position, vectors.count)];
  const [answers] = await pool.search([vectors], query, 1, { k: plan.k, allow, signal });
  const found: ShardAnswer = { ...answers![0]!, path: 'exact' };
  const allowed = countAllowed(plan, position, vectors.count);
  trace?.shards.push(explainScan({ shard: position, k: plan.k, ef: plan.ef, allowed, found, begun }));
  parts[position] = { ...found, hasAll: true };
}
