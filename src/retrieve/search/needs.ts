/**
 * What a search needs from its driver, and how it waits for it.
 *
 * A search is a generator. It yields what it needs before it can continue: searches of shards, scores of rows, or
 * nothing to let others run. A driver (run-search.ts) fills in the results and resumes it: immediately, in turns with
 * the event loop, or together with other searches on a pool of threads. The algorithm is the same for all drivers.
 */
import type { SearchAccount } from '../../engine/engine.js';
import type { SearchPlan } from './search-plan.js';

/** @typeParam Plan the plan as the driver of the search knows it, with or without the rows of the shards */
export type SearchWork<T, Plan = SearchPlan> = Generator<Need<Plan> | undefined, T, undefined>;

export type Need<Plan = SearchPlan> =
  | { readonly kind: 'shards'; readonly searches: readonly ShardSearch<Plan>[] }
  | { readonly kind: 'scores'; readonly scoring: Scoring }
  /** What takes a round trip to other processes. Shards of this process never need it. */
  | { readonly kind: 'call'; readonly call: () => Promise<void> };

export interface ShardSearch<Plan = SearchPlan> {
  readonly query: Float32Array;
  readonly shard: number;
  readonly k: number;
  readonly ef: number;
  /** Number of rows that may be returned. */
  readonly allowed: number;
  /** Scan all allowed rows instead of walking the graph. */
  readonly exact: boolean;
  /** Which rows may be returned, and how to find them. */
  readonly plan: Plan;
  /** The result; null until the shard was searched. */
  part: ShardPart | null;
}

export interface ShardPart {
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
  readonly path: 'graph' | 'exact';
  /** True if a deeper search would find nothing more. */
  readonly complete: boolean;
  /** Present if explain was requested and the engine provides it. */
  readonly account?: SearchAccount | undefined;
  readonly tookUs: number;
  /** True if no process that holds the shard answers. */
  readonly lost?: true;
}

/** Canonical scores of rows with one query. */
export interface Scoring {
  readonly query: Float32Array;
  readonly ordinals: Uint32Array;
  /** One per ordinal; filled in by the driver. */
  readonly scores: Float32Array;
}

export const EMPTY_PART: ShardPart = {
  ordinals: new Uint32Array(0),
  scores: new Float32Array(0),
  path: 'exact',
  complete: true,
  tookUs: 0,
};

/** Runs several searches as one that needs what all of them need. @returns their results, in order */
export function* runTogether<T, Plan>(searches: readonly SearchWork<T, Plan>[]): SearchWork<T[], Plan> {
  const results: T[] = [];
  let open = searches.map((search, position) => ({ search, position }));
  while (open.length > 0) {
    const still: typeof open = [];
    const wanted: ShardSearch<Plan>[] = [];
    for (const running of open) {
      const step = running.search.next();
      if (step.done === true) {
        results[running.position] = step.value;
        continue;
      }
      still.push(running);
      if (step.value?.kind === 'shards') wanted.push(...step.value.searches);
      else yield step.value;
    }
    if (wanted.length > 0) yield { kind: 'shards', searches: wanted };
    open = still;
  }
  return results;
}
