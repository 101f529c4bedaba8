/**
 * What a search needs from others, and how it waits for that.
 *
 * A search is a generator. It yields what it needs before it can go on: searches of shards, scores of rows, or
 * nothing, where others may have their turn. Whoever runs it (run-search.ts) fills in the answers and resumes it: at
 * once, in turns with the event loop, or together with other searches on a pool of threads. The algorithm is the same
 * everywhere.
 */
import type { SearchAccount } from '../../engine/engine.js';
import type { SearchPlan } from './search-plan.js';

/** Yields what is needed, undefined to pause. */
export type SearchWork<T> = Generator<Need | undefined, T, undefined>;

export type Need =
  | { readonly kind: 'shards'; readonly searches: readonly ShardSearch[] }
  | { readonly kind: 'scores'; readonly scoring: Scoring };

/** One search of one shard for one query. */
export interface ShardSearch {
  readonly query: Float32Array;
  readonly shard: number;
  readonly k: number;
  readonly ef: number;
  /** Scan all rows that may come back. */
  readonly exact: boolean;
  /** Which rows may come back, and by which way. */
  readonly plan: SearchPlan;
  /** Its answer; null until somebody has searched. */
  part: ShardPart | null;
}

/** What a shard has found, best first. */
export interface ShardPart {
  readonly ordinals: Uint32Array;
  readonly scores: Float32Array;
  readonly path: 'graph' | 'exact';
  /** A deeper search would find nothing more. */
  readonly complete: boolean;
  /** Where it was asked for and the engine keeps one. */
  readonly account?: SearchAccount | undefined;
  readonly tookUs: number;
}

/** Canonical scores of rows with one query. */
export interface Scoring {
  readonly query: Float32Array;
  readonly ordinals: Uint32Array;
  /** Of each; to be filled in. */
  readonly scores: Float32Array;
}

export const EMPTY_PART: ShardPart = {
  ordinals: new Uint32Array(0),
  scores: new Float32Array(0),
  path: 'exact',
  complete: true,
  tookUs: 0,
};

/** Several searches as one, which needs at once what all of them need. @returns what each returns, in their order */
export function* runTogether<T>(searches: readonly SearchWork<T>[]): SearchWork<T[]> {
  const results: T[] = [];
  let open = searches.map((search, position) => ({ search, position }));
  while (open.length > 0) {
    const still: typeof open = [];
    const wanted: ShardSearch[] = [];
    for (const one of open) {
      const step = one.search.next();
      if (step.done === true) {
        results[one.position] = step.value;
        continue;
      }
      still.push(one);
      if (step.value?.kind === 'shards') wanted.push(...step.value.searches);
      else yield step.value;
    }
    if (wanted.length > 0) yield { kind: 'shards', searches: wanted };
    open = still;
  }
  return results;
}
