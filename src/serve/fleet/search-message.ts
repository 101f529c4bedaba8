/**
 * `search`: searches of shards, in columns. A batch has thousands, so nothing of a search is an object of its own.
 * `count` asks for the rows that plans of a search leave.
 */
import type { JsonValue } from '../../arrow/column-value.js';
import { MAX_EF, MAX_SHARDS } from '../../base/limits.js';
import type { IdTable, IdType } from '../../base/id-table.js';
import type { SearchAccount } from '../../engine/engine.js';
import { SHARD_PLANS, type ShardPlan } from '../../wire/shard-plans.js';
import { encodeFrame, FrameError, type FrameArray } from './frame.js';
import { FrameReader } from './frame-reader.js';
import { readIds, writeIds } from './id-columns.js';
import { readOwn, readSelection, writeOwn, writeSelection, type OwnSelection, type Selection } from './selection.js';

export interface PlanRequest extends OwnSelection {
  /** Candidates of the whole search, of which a shard gives its part. */
  readonly k: number;
  readonly exact: boolean;
}

export interface SearchRequest {
  readonly selection: Selection;
  readonly shardPlan: ShardPlan | undefined;
  readonly explain: boolean;
  /** Return the ids of what is found. */
  readonly withIds: boolean;
  readonly plans: readonly PlanRequest[];
  /** Vectors end to end. */
  readonly queries: Float32Array;
  /** For each search: position of its query, position of its plan, number of its shard, k, ef. */
  readonly searches: Uint32Array;
}

export const SEARCH_WORDS = 5;

export interface SearchAnswer {
  /** Candidates of each search. */
  readonly counts: Uint32Array;
  /** For each search: bit 0, every row was scanned; bit 1, a deeper search would find nothing more. */
  readonly flags: Uint8Array;
  /** Candidates of all searches end to end, each search's best first. */
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
  /** Of all candidates; null if they were not asked for. */
  readonly ids: IdTable | null;
  /** Of all candidates: their values of the crowding attribute; null without crowding. */
  readonly values: readonly JsonValue[] | null;
  /** For each search, if explain was asked for. */
  readonly accounts: readonly PartAccount[] | null;
}

interface PartAccount {
  readonly account?: SearchAccount | undefined;
  readonly took_us: number;
}

export const IS_EXACT = 1;
export const IS_COMPLETE = 2;

export function writeSearchRequest(request: SearchRequest): Buffer {
  const { selection, shardPlan, explain, withIds, plans } = request;
  const head = {
    ...writeSelection(selection),
    ...(shardPlan !== undefined && { shard_plan: shardPlan }),
    explain,
    with_ids: withIds,
    plans: plans.map(({ k, exact, ...own }) => ({ k, exact, ...writeOwn(own) })),
  };
  return encodeFrame(head, [request.queries, request.searches]);
}

/** @param dim length of a query */
export function readSearchRequest(bytes: Buffer, dim: number): SearchRequest {
  const reader = new FrameReader(bytes);
  const { fields } = reader;
  const request = {
    selection: readSelection(fields),
    shardPlan: fields.all()['shard_plan'] === undefined ? undefined : fields.oneOf('shard_plan', SHARD_PLANS),
    explain: fields.flag('explain'),
    withIds: fields.flag('with_ids'),
    plans: fields.list('plans', (plan) => ({
      k: plan.integer('k', 1, UNBOUNDED),
      exact: plan.flag('exact'),
      ...readOwn(plan),
    })),
    queries: reader.floats('queries'),
    searches: reader.words('searches'),
  };
  reader.end();
  checkSearches(request, dim);
  return request;
}

/** A scan may be asked for every row. */
const UNBOUNDED = 2 ** 32 - 1;

function checkSearches({ queries, plans, searches }: SearchRequest, dim: number): void {
  const count = queries.length / dim;
  if (!Number.isInteger(count)) throw new FrameError(`queries has ${queries.length} values, of vectors of ${dim}`);
  if (searches.length % SEARCH_WORDS !== 0) throw new FrameError(`searches has ${searches.length} values`);
  for (let at = 0; at < searches.length; at += SEARCH_WORDS) {
    const [query, plan, shard, k, ef] = searches.subarray(at, at + SEARCH_WORDS) as unknown as number[];
    const isKnown = query! < count && plan! < plans.length && shard! < MAX_SHARDS;
    if (!isKnown || k! < 1 || ef! < 1 || ef! > MAX_EF)
      throw new FrameError(`search ${at / SEARCH_WORDS} is out of range`);
  }
}

export function writeSearchAnswer(answer: SearchAnswer): Buffer {
  const { counts, flags, ordinals, scores, ids, values, accounts } = answer;
  const head = { ...(values !== null && { values }), ...(accounts !== null && { accounts }) };
  const arrays: FrameArray[] = [counts, flags, ordinals, scores];
  return encodeFrame(head, ids === null ? arrays : [...arrays, ...writeIds(ids)]);
}

/** @param searches number of searches @param idType if ids were asked for */
export function readSearchAnswer(
  bytes: Buffer,
  searches: number,
  { idType, crowding, explain }: { idType: IdType | null; crowding: boolean; explain: boolean },
): SearchAnswer {
  const reader = new FrameReader(bytes);
  const counts = reader.words('counts', searches);
  const flags = reader.bytes('flags', searches);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const ordinals = reader.words('ordinals', total);
  const scores = reader.floats('scores', total);
  const ids = idType === null ? null : readIds(idType, total, reader);
  reader.end();
  const values = crowding ? (reader.fields.raw('values') as readonly JsonValue[]) : null;
  if (values !== null && (!Array.isArray(values) || values.length !== total)) reader.fields.fail('values', 'is wrong');
  return { counts, flags, ordinals, scores, ids, values, accounts: explain ? readAccounts(reader, searches) : null };
}

function readAccounts({ fields }: FrameReader, searches: number): PartAccount[] {
  const accounts = fields.list('accounts', (account) => {
    account.number('took_us');
    return account.all() as unknown as PartAccount;
  });
  return accounts.length === searches ? accounts : fields.fail('accounts', `has ${accounts.length} entries`);
}

interface CountRequest extends OwnSelection {
  readonly selection: Selection;
}

export interface CountAnswer {
  /** For each shard of the leaf the rows that may be returned. */
  readonly allowed: Uint32Array;
  /** False if no filter can express the values: then nothing was left out. */
  readonly isLeftOut: boolean;
}

export function writeCountRequest(request: CountRequest): Buffer {
  return encodeFrame({ ...writeSelection(request.selection), own: writeOwn(request) });
}

export function readCountRequest(bytes: Buffer): CountRequest {
  const reader = new FrameReader(bytes);
  reader.end();
  const { fields } = reader;
  return { selection: readSelection(fields), ...readOwn(fields.object('own')) };
}

export function writeCountAnswer({ allowed, isLeftOut }: CountAnswer): Buffer {
  return encodeFrame({ is_left_out: isLeftOut }, [allowed]);
}

export function readCountAnswer(bytes: Buffer, shards: number): CountAnswer {
  const reader = new FrameReader(bytes);
  const allowed = reader.words('allowed', shards);
  reader.end();
  return { allowed, isLeftOut: reader.fields.flag('is_left_out') };
}
