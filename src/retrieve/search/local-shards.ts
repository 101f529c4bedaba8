/**
 * Searches of shards in this process's memory: on the calling thread if short, on the engine's own thread, or as scans
 * on a pool of threads.
 */
import { Bitset } from '../../base/bitset.js';
import { rawKernel, toScore } from '../../base/metric.js';
import type { ShardAnswer, ShardQuery, ShardVectors } from '../../engine/engine.js';
import type { ExactSearch } from '../../engine/exact-search.js';
import type { LoadedShard } from '../load/shards.js';
import { copyAllowed, excludedRows, type AllowedRows } from './allowed-rows.js';
import type { Scoring, ShardPart, ShardSearch } from './needs.js';
import type { RowPlace } from '../../version/sealed/row-places.js';

export type ScanPool = Pick<ExactSearch, 'search'>;

/** Shards, and the shard and row of each item. A LoadedVersion is one. */
export interface LocalShards {
  readonly shards: readonly LoadedShard[];
  readonly locate: (ordinal: number) => RowPlace;
}

/** Largest scan on the calling thread, in components: about 0.4 ms, the time of some ten graph searches. */
const SHORT_SCAN = 2 ** 20;

// The cost of a graph walk is estimated, since a measurement would come too late. The unit is nanoseconds on one core
// of 2020 with memory outside the cache. On a slower machine a long walk is longer still.

/** An expanded node with the codes of its neighbours, and each component of those codes. */
const CANDIDATE_NS = 1_200;
const CODE_COMPONENT_NS = 3;

/** A row scored by its float32 values, and each of its components. */
const ROW_NS = 200;
const COMPONENT_NS = 1;

/** How many times longer a filtered walk takes, in most cases at most. */
const FILTER_FACTOR = 3;

/** A step of the event loop should take 10 ms at most, and an estimate may be half of the true time. */
const LONG_WALK_NS = 5e6;

/** Searches a shard on the calling thread, however long it takes. */
export function searchShard({ shards }: LocalShards, search: ShardSearch): void {
  const shard = shards[search.shard]!;
  const begun = startTimeOf(search);
  const options = optionsOf(search, shard);
  const found = search.exact ? shard.graph.scanRows(search.query, options) : shard.graph.search(search.query, options);
  search.part = partOf(search, shard, found, begun);
}

/** Searches a shard on the calling thread if that is short. @returns false if it was not searched */
export function trySearchShard({ shards }: LocalShards, search: ShardSearch): boolean {
  if (search.exact) return false;
  const { query, allowed } = search;
  const shard = shards[search.shard]!;
  const { graph } = shard;
  if (isLongWalk(search, graph.vectors, shards.length)) return false;
  const begun = startTimeOf(search);
  const options = optionsOf(search, shard);
  const isShort = allowed * graph.vectors.dim <= SHORT_SCAN;
  const found = isShort ? graph.search(query, options) : graph.searchGraph(query, options);
  if (found === null) return false;
  search.part = partOf(search, shard, found, begun);
  return true;
}

/**
 * Searches shards on other threads: long walks on the engine's, scans on the pool's.
 * @throws the signal's reason when it is aborted; shards that were searched by then have their parts
 */
export async function searchOnThreads(
  local: LocalShards,
  searches: readonly ShardSearch[],
  pool: ScanPool,
  signal?: AbortSignal,
): Promise<void> {
  const walkOrScan = async (search: ShardSearch) => {
    if (!(await tryWalkOnThread(local, search, signal))) await scanShards(local, [search], pool, signal);
  };
  await Promise.all(searches.map(walkOrScan));
}

/**
 * Returns true if the walk is too long for a thread that others wait for.
 * @param shards how many shards the same step searches one after the other
 */
export function isLongWalk(
  { k, ef, allowed }: Pick<ShardSearch, 'k' | 'ef' | 'allowed'>,
  { dim, count }: Pick<ShardVectors, 'dim' | 'count'>,
  shards: number,
): boolean {
  const walk = Math.min(Math.max(k, ef), count) * (CANDIDATE_NS + CODE_COMPONENT_NS * dim);
  const rows = Math.min(k, allowed) * (ROW_NS + COMPONENT_NS * dim);
  return (allowed < count ? FILTER_FACTOR : 1) * (walk + rows) * shards > LONG_WALK_NS;
}

/** @returns false if the shard must be scanned instead */
async function tryWalkOnThread({ shards }: LocalShards, search: ShardSearch, signal?: AbortSignal): Promise<boolean> {
  if (search.exact) return false;
  const shard = shards[search.shard]!;
  const { graph } = shard;
  if (!isLongWalk(search, graph.vectors, shards.length)) return false; // short: the graph would have scanned
  const begun = startTimeOf(search);
  const found = await graph.searchLater(search.query, optionsOf(search, shard), signal);
  if (found !== null) search.part = partOf(search, shard, found, begun);
  return found !== null;
}

/** Searches of one shard that one scan answers: they allow the same rows, except for the queries themselves. */
interface ScanGroup {
  readonly shard: number;
  readonly k: number;
  readonly searches: ShardSearch[];
}

/** Scans shards on the pool's threads: one scan for all queries with the same rows. @throws as `searchOnThreads` */
export async function scanShards(
  local: LocalShards,
  searches: readonly ShardSearch[],
  pool: ScanPool,
  signal?: AbortSignal,
): Promise<void> {
  const groups: ScanGroup[] = [];
  for (const search of searches) {
    const group = groups.find((known) => belongsToGroup(search, known));
    if (group !== undefined) group.searches.push(search);
    else groups.push({ shard: search.shard, k: search.plan.k, searches: [search] });
  }
  await Promise.all(groups.map((group) => scanGroup(local.shards[group.shard]!, group, pool, signal)));
}

function belongsToGroup({ shard, plan }: ShardSearch, group: ScanGroup): boolean {
  const { plan: groupPlan } = group.searches[0]!;
  if (shard !== group.shard || plan.k !== group.k) return false;
  if (needsOwnScan(plan) || needsOwnScan(groupPlan)) return plan === groupPlan;
  return plan.passing === groupPlan.passing && plan.excluded === groupPlan.excluded;
}

/** With several self-matches, as with seeds, only searches of the same plan can share a scan. */
function needsOwnScan({ selfMatches }: ShardSearch['plan']): boolean {
  return selfMatches.length > 1;
}

async function scanGroup(shard: LoadedShard, group: ScanGroup, pool: ScanPool, signal?: AbortSignal): Promise<void> {
  const { searches, k } = group;
  const { vectors } = shard.graph;
  const [{ plan }] = searches as [ShardSearch];
  const begun = startTimeOf(searches[0]!);
  // A query may find itself: request one row more and drop it.
  const ownRows = searches.map((search) => (needsOwnScan(search.plan) ? -1 : selfRow(search)));
  const more = ownRows.some((row) => row >= 0) ? 1 : 0;
  const rows: AllowedRows = needsOwnScan(plan) ? plan : { ...plan, selfMatches: [] };
  const allow = [copyAllowed(rows, group.shard, vectors.count)];
  const queries = packQueries(searches, vectors.dim);
  const found = await pool.search([vectors], queries, searches.length, { k: k + more, allow, signal });
  for (const [i, search] of searches.entries()) {
    const answer = dropRow(found[i]![0]!, ownRows[i]!, k);
    search.part = { ...partOf(search, shard, { ...answer, path: 'exact' }, begun), complete: true };
  }
}

function selfRow({ plan, shard }: ShardSearch): number {
  const [self] = plan.selfMatches;
  return self?.shard === shard ? self.row : -1;
}

function packQueries(searches: readonly ShardSearch[], dim: number): Float32Array {
  if (searches.length === 1) return searches[0]!.query;
  const packed = new Float32Array(searches.length * dim);
  for (const [i, { query }] of searches.entries()) packed.set(query, i * dim);
  return packed;
}

type RowScores = Pick<ShardAnswer, 'rows' | 'scores'>;

/** The k best rows without one row. @param row -1 for none */
function dropRow({ rows, scores }: RowScores, row: number, k: number): RowScores {
  const at = row < 0 ? -1 : rows.indexOf(row);
  if (at < 0) return { rows: rows.subarray(0, k), scores: scores.subarray(0, k) };
  const kept = { rows: rows.slice(0, -1), scores: scores.slice(0, -1) };
  kept.rows.set(rows.subarray(at + 1), at);
  kept.scores.set(scores.subarray(at + 1), at);
  return kept;
}

/** Start time in ms; 0 without explain, to save the call. */
function startTimeOf({ plan }: ShardSearch): number {
  return plan.explain ? performance.now() : 0;
}

function optionsOf({ plan, shard, k, ef, exact }: ShardSearch, { ordinals }: LoadedShard): ShardQuery {
  const leftOut = excludedRows(plan, shard);
  const passing = plan.passing?.[shard];
  const account = plan.explain && !exact;
  const size = ordinals.length;
  if (passing === undefined || passing.count === size) return { k, ef, plan: plan.shardPlan, leftOut, account };
  const allow = new Bitset(size, passing.words);
  return { k, ef, plan: plan.shardPlan, leftOut, account, allow, allowCount: passing.count, allowList: passing.list };
}

function partOf(search: ShardSearch, shard: LoadedShard, found: ShardAnswer, begun: number): ShardPart {
  const { rows, scores, path, account } = found;
  const complete = rows.length < search.k || rows.length === search.allowed;
  const tookUs = search.plan.explain ? Math.round((performance.now() - begun) * 1000) : 0;
  return { ordinals: ordinalsOf(shard, rows), scores, path, complete, account, tookUs };
}

/** Ordinals ascend with rows. In a version with one shard they are equal. */
export function ordinalsOf({ ordinals }: LoadedShard, rows: Uint32Array): Uint32Array {
  if (ordinals.length === 0 || ordinals[ordinals.length - 1] === ordinals.length - 1) return rows;
  const mapped = new Uint32Array(rows.length);
  for (let i = 0; i < rows.length; i++) mapped[i] = ordinals[rows[i]!]!;
  return mapped;
}

export function scoreRows({ shards, locate }: LocalShards, { query, ordinals, scores }: Scoring): void {
  for (let i = 0; i < ordinals.length; i++) {
    const { shard, row } = locate(ordinals[i]!);
    const { metric, dim, values } = shards[shard]!.graph.vectors;
    scores[i] = toScore(metric, rawKernel(metric)(query, 0, values, row * dim, dim));
  }
}
