/**
 * The answers of two versions to the same queries, with their ids matched. Takes queries; gives the pairs of answers in
 * groups, so that memory does not grow with the number of queries. Hides the threads that search.
 */
import { ShortlistError } from '../../base/errors.js';
import { availableCores } from '../../base/machine.js';
import { openExactSearch, type ExactSearch } from '../../engine/exact-search.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { BatchPool, threadSearcher } from '../../retrieve/library/batch-pool.js';
import type { Answer } from '../../retrieve/search/answer.js';
import { searchTogether, singleTask } from '../../retrieve/search/run-search.js';
import type { SearchOptions } from '../../retrieve/search/search-options.js';
import { planQuery, planSearch, type SearchPlan } from '../../retrieve/search/search-plan.js';
import { queryAt, type QuerySet } from '../queries.js';
import type { DiffQueries } from './diff-queries.js';

/** Queries that are searched together: work for all threads, and at k = 10,000 some 100 MiB of answers. */
export const GROUP_QUERIES = 256;

/** One answer, best candidate first. */
export interface MatchedAnswer {
  /** One number for each id, the same in both answers of a pair. */
  readonly keys: readonly number[];
  readonly ordinals: Uint32Array;
  /** For each candidate its ordinal in the other version; -1 if that does not have the id. */
  readonly elsewhere: Int32Array;
  readonly scores: Float32Array;
  /** Null if every row was scanned. */
  readonly ef: number | null;
}

export interface AnswerPair {
  readonly old: MatchedAnswer;
  readonly fresh: MatchedAnswer;
}

/** Searches both versions. Call `close` at the end. */
export class PairSearch {
  private readonly old: ThreadSearch;
  private readonly fresh: ThreadSearch;

  constructor(
    private readonly before: LoadedVersion,
    private readonly after: LoadedVersion,
    { before: old, after: fresh, selfOrdinals }: DiffQueries,
  ) {
    this.old = new ThreadSearch(before, old, selfOrdinals?.before);
    this.fresh = new ThreadSearch(after, fresh, selfOrdinals?.after);
  }

  /** Answers the queries from position `from` up to `to`. @throws the signal's reason when it is aborted */
  async answer(from: number, to: number, options: SearchOptions, signal?: AbortSignal): Promise<AnswerPair[]> {
    const old = await this.old.answer(from, to, options, signal);
    const fresh = await this.fresh.answer(from, to, options, signal);
    return old.map((answer, position) => matchAnswers(this.before, this.after, answer, fresh[position]!));
  }

  async close(): Promise<void> {
    await Promise.all([this.old.close(), this.fresh.close()]);
  }
}

class ThreadSearch {
  private readonly threads: BatchPool;
  private readonly scans: ExactSearch;

  constructor(
    private readonly version: LoadedVersion,
    private readonly queries: QuerySet,
    private readonly selfOrdinals: Int32Array | undefined,
  ) {
    this.threads = new BatchPool(version, availableCores());
    this.scans = openExactSearch();
  }

  answer(from: number, to: number, options: SearchOptions, signal?: AbortSignal): Promise<Answer[]> {
    const { version, queries, selfOrdinals } = this;
    const plan = this.plan(options);
    const tasks = Array.from({ length: to - from }, (_, position) => {
      const self = selfOrdinals?.[from + position] ?? -1;
      const query = queryAt(queries, from + position, version.manifest.dim);
      return singleTask(query, self < 0 ? plan : planQuery(version, plan, [self]));
    });
    return searchTogether(version, tasks, threadSearcher(version, this.threads, this.scans), { signal });
  }

  /** An attribute may be in one of the versions only, so that the error says in which it is missing. */
  private plan(options: SearchOptions): SearchPlan {
    try {
      return planSearch(this.version, options);
    } catch (error) {
      if (!(error instanceof ShortlistError)) throw error;
      const { index, version } = this.version.manifest;
      throw new ShortlistError(error.code, `${index}@${version}: ${error.message}`, { ...error.details, version }, { cause: error }); // prettier-ignore
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.threads.close(), this.scans.close()]);
  }
}

function matchAnswers(before: LoadedVersion, after: LoadedVersion, old: Answer, fresh: Answer): AnswerPair {
  const kept = ordinalsIn(after, before, old.ordinals);
  const gone = after.manifest.count;
  return {
    old: {
      keys: Array.from(kept, (there, i) => (there < 0 ? gone + old.ordinals[i]! : there)),
      ordinals: old.ordinals,
      elsewhere: kept,
      scores: old.scores,
      ef: old.quality.ef,
    },
    fresh: {
      keys: Array.from(fresh.ordinals),
      ordinals: fresh.ordinals,
      elsewhere: ordinalsIn(before, after, fresh.ordinals),
      scores: fresh.scores,
      ef: fresh.quality.ef,
    },
  };
}

/** For ordinals of `from`, those of the same ids in `version`. Integers and texts match if they read the same. */
function ordinalsIn({ ids }: LoadedVersion, from: LoadedVersion, ordinals: Uint32Array): Int32Array {
  if (ids.type.kind === from.ids.type.kind) return ids.match(from.ids, ordinals);
  return Int32Array.from(from.ids.texts(ordinals), (id) => ids.find(id));
}
