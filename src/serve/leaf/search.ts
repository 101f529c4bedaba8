/** `search` and `scores`: searches of this leaf's shards at the depths that the gateway chose. */
import { MAX_K } from '../../base/limits.js';
import { gatherIds } from '../../base/id-table-parts.js';
import type { JsonValue } from '../../arrow/column-value.js';
import { countAllowed } from '../../retrieve/search/allowed-rows.js';
import { scanShards, scoreRows, searchOnThreads, trySearchShard } from '../../retrieve/search/local-shards.js';
import { EMPTY_PART, type ShardPart, type ShardSearch } from '../../retrieve/search/needs.js';
import type { SearchPlan } from '../../retrieve/search/search-plan.js';
import { FrameError } from '../fleet/frame.js';
import { readScoresRequest, writeScoresAnswer } from '../fleet/rows-message.js';
import {
  IS_COMPLETE,
  IS_EXACT,
  readSearchRequest,
  SEARCH_WORDS,
  writeSearchAnswer,
  type SearchRequest,
} from '../fleet/search-message.js';
import { planOwn, planSelection } from './leaf-plan.js';
import type { LeafTools } from './leaf-tools.js';
import type { LeafVersion } from './leaf-version.js';

export async function search(tools: LeafTools, body: Buffer): Promise<Buffer> {
  const { leaf } = tools;
  const request = readSearchRequest(body, leaf.version.manifest.dim);
  const plans = await planAll(tools, request);
  const { searches, steps } = readSearches(leaf, request, plans);
  await searchAll(tools, searches, steps);
  return writeParts(
    leaf,
    request,
    searches.map(({ part }) => part!),
    plans[0]?.crowding ?? null,
  );
}

async function planAll(tools: LeafTools, request: SearchRequest): Promise<SearchPlan[]> {
  const base = await planSelection(tools, request.selection);
  const { explain, shardPlan } = request;
  const plans: SearchPlan[] = [];
  for (const { k, exact, ...own } of request.plans) {
    const { plan } = await planOwn(tools, base, own);
    plans.push({ ...plan, k: boundedK(k, tools.leaf), exact, explain, shardPlan });
  }
  return plans;
}

/** Only scans are that deep. Memory for more rows than there are would be allocated for nothing. */
function boundedK(k: number, { version }: LeafVersion): number {
  return k <= MAX_K ? k : Math.max(MAX_K, Math.min(k, version.count));
}

interface Searches {
  readonly searches: readonly ShardSearch[];
  /** Where the searches of each query end: one step of the thread each. */
  readonly steps: readonly number[];
}

function readSearches(leaf: LeafVersion, request: SearchRequest, plans: readonly SearchPlan[]): Searches {
  const { dim } = leaf.version.manifest;
  const searches: ShardSearch[] = [];
  const steps: number[] = [];
  const { searches: words, queries } = request;
  for (let at = 0; at < words.length; at += SEARCH_WORDS) {
    const position = words[at]!;
    const plan = plans[words[at + 1]!]!;
    const shard = leaf.positionOf(words[at + 2]!);
    const allowed = countAllowed(plan, shard, leaf.version.shards[shard]!.ordinals.length);
    const query = queries.subarray(position * dim, (position + 1) * dim);
    const [k, ef] = [words[at + 3]!, words[at + 4]!];
    if (k > MAX_K && !plan.exact) throw new FrameError(`search ${at / SEARCH_WORDS} walks a graph for ${k} rows`);
    const part = allowed === 0 ? EMPTY_PART : null;
    searches.push({ query, shard, k: boundedK(k, leaf), ef, allowed, exact: plan.exact, plan, part });
    if (at > 0 && words[at - SEARCH_WORDS] === position) steps.pop();
    steps.push(searches.length);
  }
  return { searches, steps };
}

/** As a search of a version in one process: walks on this thread if they are short, the rest on other threads. */
async function searchAll(tools: LeafTools, searches: readonly ShardSearch[], steps: readonly number[]): Promise<void> {
  const { leaf, turns, limit, pool } = tools;
  const local = leaf.version;
  const scans = searches.filter(({ exact, part }) => exact && part === null);
  if (scans.length > 0) await scanShards(local, scans, pool, limit.signal);
  const long: ShardSearch[] = [];
  const searchQuery = (step: number) => {
    for (let i = steps[step - 1] ?? 0; i < steps[step]!; i++) {
      const one = searches[i]!;
      if (one.part === null && !trySearchShard(local, one)) long.push(one);
    }
  };
  const candidates = searches.reduce((most, { k, ef }) => Math.max(most, k, ef), 0);
  if (scans.length < searches.length) await turns.run(steps.length, limit, searchQuery, candidates);
  if (long.length > 0) await searchOnThreads(local, long, pool, limit.signal);
}

function writeParts(
  leaf: LeafVersion,
  { withIds, explain }: SearchRequest,
  parts: readonly ShardPart[],
  crowding: SearchPlan['crowding'],
): Buffer {
  const counts = Uint32Array.from(parts, ({ ordinals }) => ordinals.length);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const locals = new Uint32Array(total);
  const scores = new Float32Array(total);
  let at = 0;
  for (const part of parts) {
    locals.set(part.ordinals, at);
    scores.set(part.scores, at);
    at += part.ordinals.length;
  }
  const { ids } = leaf.version;
  return writeSearchAnswer({
    counts,
    flags: Uint8Array.from(parts, ({ path, complete }) => (path === 'exact' ? IS_EXACT : 0) | (complete ? IS_COMPLETE : 0)), // prettier-ignore
    ordinals: leaf.toInputs(locals),
    scores,
    ids: withIds ? gatherIds(ids.type, [ids], new Uint32Array(total), locals) : null,
    values: crowding === null ? null : Array.from(locals, (ordinal): JsonValue => crowding.valueOf(ordinal)),
    accounts: explain ? parts.map(({ account, tookUs }) => ({ account, took_us: tookUs })) : null,
  });
}

export async function scores(tools: LeafTools, body: Buffer): Promise<Buffer> {
  const { leaf, turns, limit } = tools;
  const { version } = leaf;
  const { dim } = version.manifest;
  const { queries, counts, ordinals } = readScoresRequest(body, dim);
  const locals = leaf.toLocals(ordinals);
  const found = new Float32Array(locals.length);
  let total = 0;
  const ends = counts.map((count) => (total += count));
  await turns.run(counts.length, limit, (position) => {
    const [from, to] = [ends[position - 1] ?? 0, ends[position]!];
    const query = queries.subarray(position * dim, (position + 1) * dim);
    scoreRows(version, { query, ordinals: locals.subarray(from, to), scores: found.subarray(from, to) });
  });
  return writeScoresAnswer(found);
}
