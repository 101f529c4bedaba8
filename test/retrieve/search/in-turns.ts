/** Searches as a server makes them: begun on the thread, finished in turns with others and on a pool of threads. */
import type { WorkOptions } from '../../../src/base/work.js';
import type { LoadedVersion } from '../../../src/retrieve/load/loaded-version.js';
import type { Answer } from '../../../src/retrieve/search/answer.js';
import type { ScanPool } from '../../../src/retrieve/search/local-shards.js';
import {
  singleTask,
  startSearch,
  type SearchTask,
  type PendingSearch,
} from '../../../src/retrieve/search/run-search.js';
import type { SearchOptions, SeedQuery } from '../../../src/retrieve/search/search-options.js';
import { planQuery, planSearch } from '../../../src/retrieve/search/search-plan.js';
import { planSeeds } from '../../../src/retrieve/search/seeds.js';

export function askFor(version: LoadedVersion, query: Float32Array, options: SearchOptions, self?: number): SearchTask {
  return singleTask(query, planQuery(version, planSearch(version, options), self === undefined ? [] : [self]));
}

export function askSeeds(version: LoadedVersion, seeds: readonly SeedQuery[], options: SearchOptions): SearchTask {
  return { plan: planSeeds(version, planSearch(version, options), seeds), queries: seeds, kind: 'seeds' };
}

/** @throws where it is answered at once */
export function beginLong(version: LoadedVersion, asked: SearchTask): PendingSearch {
  const begun = startSearch(version, asked);
  if (begun.kind === 'answered') throw new Error('the search has taken one step only');
  return begun.search;
}

export async function searchInTurns(
  version: LoadedVersion,
  pool: ScanPool,
  asked: SearchTask,
  turns: WorkOptions = {},
): Promise<Answer> {
  const begun = startSearch(version, asked);
  return begun.kind === 'answered' ? begun.answer : begun.search.finish(pool, turns);
}
