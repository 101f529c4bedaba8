/**
 * shortlist in one process: open an index of a root and search it, without a server. It is what the commands `query`
 * and `batch` use, and it answers as the server does.
 */
import { ShortlistError } from '../../base/errors.js';
import type { IdTable } from '../../base/id-table.js';
import { availableCores } from '../../base/machine.js';
import { openExactSearch, type ExactSearch } from '../../engine/exact-search.js';
import { resolveVersion } from '../../version/state/catalog.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { BatchPool } from './batch-pool.js';
import type { JsonValue } from '../../arrow/column-value.js';
import { loadVersion, type LoadedVersion } from '../load/loaded-version.js';
import { checkArray, checkOptions } from './library-options.js';
import { checkQuery } from '../search/query.js';
import type { Answer } from '../search/answer.js';
import type { Explain, Quality } from '../../wire/answers.js';
import {
  singleTask,
  poolScanner,
  search,
  searchExact,
  searchSeeds,
  searchTogether,
  type SearchTogetherOptions,
} from '../search/run-search.js';
import { planSearch } from '../search/search-plan.js';
import type { SearchOptions, SeedQuery } from '../search/search-options.js';

export interface OpenIndexOptions {
  /** A version or alias; default the published one. */
  readonly version?: string | undefined;
  /** Threads of `searchBatch`; default all cores. */
  readonly threads?: number | undefined;
  /** Aborting it rejects the opening with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** As the server's request fields of the same names. `k` defaults to 100. */
export type IndexSearchOptions = Partial<SearchOptions>;

export interface BatchSearchOptions extends IndexSearchOptions {
  /** Told how many of the queries are answered. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Aborting it rejects the call with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** One of several queries with one answer: an item by its id, or a vector of `dim` values. */
export type Seed = ({ readonly id: string } | { readonly vector: Float32Array }) & {
  /** Above 0, default 1: scores with this seed are multiplied by it, those below 0 divided. */
  readonly weight?: number | undefined;
  /** Candidates that it may bring at most; default k. */
  readonly quota?: number | undefined;
};

/** Best first: `ids[i]` has `scores[i]`. */
export interface SearchAnswer {
  readonly ids: string[];
  /** Position of each item among the accepted rows of the build's input. */
  readonly ordinals: Uint32Array;
  /** Of a search with seeds: the merged scores. */
  readonly scores: Float32Array;
  readonly quality: Quality;
  /** Of a search with seeds: position of the seed that gave each candidate its score. */
  readonly seeds?: Uint8Array;
  /** Of a search with seeds: the candidate's own score with that seed. */
  readonly seedScores?: Float32Array;
  /** Where it was asked for. */
  readonly explain?: Explain;
}

/**
 * Opens one version of an index.
 * @param root folder that holds the indexes
 * @param index name of the index
 * @throws ShortlistError `index_not_found`, `version_not_found`, or one that names the damaged file
 */
export async function openIndex(root: string, index: string, options: OpenIndexOptions = {}): Promise<OpenIndex> {
  if (typeof root !== 'string' || typeof index !== 'string') {
    throw new ShortlistError(
      'usage',
      "openIndex takes a root and the name of an index: openIndex('indexes', 'listings')",
    );
  }
  const { version, threads = availableCores(), signal } = options;
  const name = await resolveVersion(root, index, version);
  return new OpenIndex(await loadVersion(root, index, name, { signal }), threads);
}

export class OpenIndex {
  private readonly batches: BatchPool;
  private readonly exact: ExactSearch;
  private readonly loaded: LoadedVersion;
  /** The query that is searched. */
  private readonly scratch: Float32Array;
  private closed = false;

  /** Use `openIndex`. */
  constructor(version: LoadedVersion, threads: number) {
    this.loaded = version;
    this.scratch = new Float32Array(version.manifest.dim);
    this.batches = new BatchPool(version, threads);
    this.exact = openExactSearch(threads);
  }

  /** What the version is and what it was built from. */
  get manifest(): Manifest {
    return this.loaded.manifest;
  }

  /** The table of ids, by ordinal and by text. */
  get ids(): IdTable {
    return this.loaded.ids;
  }

  /**
   * The k best items for one vector, synchronously on the calling thread.
   * @param query `dim` float32 values; left untouched
   * @throws ShortlistError `dimension_mismatch`, `vector_not_finite`, `vector_zero`, `k_out_of_range`, ...
   */
  search(query: Float32Array, options: IndexSearchOptions = {}): SearchAnswer {
    this.requireOpen();
    checkArray(query);
    const checked = checkQuery(this.manifest, query, undefined, this.scratch);
    return this.withIds(search(this.loaded, checked, checkOptions(options)));
  }

  /** The k best items for the vector of an item, which itself is left out. @throws ShortlistError `unknown_id` */
  searchById(id: string, options: IndexSearchOptions = {}): SearchAnswer {
    this.requireOpen();
    const ordinal = this.ordinalOf(id);
    return this.withIds(search(this.loaded, this.loaded.vectorOf(ordinal), checkOptions(options), ordinal));
  }

  /**
   * One answer for several queries: the best of all, each with the seed that gives it its best score. Items that are
   * seeds are left out.
   */
  searchSeeds(seeds: readonly Seed[], options: IndexSearchOptions = {}): SearchAnswer {
    this.requireOpen();
    const queries = seeds.map((seed) => this.seedQuery(seed));
    return this.withIds(searchSeeds(this.loaded, queries, checkOptions(options)));
  }

  /**
   * One answer for each query, in order, searched on all cores off the calling thread.
   * @param queries any number of vectors of `dim` float32 values, one after the other
   */
  async searchBatch(queries: Float32Array, options: BatchSearchOptions = {}): Promise<SearchAnswer[]> {
    this.requireOpen();
    checkArray(queries);
    const count = queries.length / this.manifest.dim;
    if (!Number.isInteger(count)) {
      const message = `the batch has ${queries.length} values, which is no whole number of vectors of ${this.manifest.dim}`;
      throw new ShortlistError('dimension_mismatch', message, { expected: this.manifest.dim });
    }
    const checked = this.checkAll(queries, count);
    const wanted = checkOptions(options);
    const onProgress = (done: number) => options.onProgress?.(Math.min(done, count), count);
    const answers = await this.searchAll(checked, wanted, { onProgress, signal: options.signal });
    onProgress(count);
    return answers.map((answer) => this.withIds(answer));
  }

  /** The item's vector, at unit length under cosine. @throws ShortlistError `unknown_id` */
  vector(id: string): Float32Array {
    return this.loaded.vectorOf(this.ordinalOf(id));
  }

  /** The item's attributes by name, all or the named ones. @throws ShortlistError `unknown_id` */
  attributes(id: string, names?: readonly string[]): Record<string, JsonValue> {
    const { attributes } = this.loaded;
    const ordinal = this.ordinalOf(id);
    if (attributes === null) return {};
    return Object.fromEntries((names ?? attributes.names).map((name) => [name, attributes.value(name, ordinal)]));
  }

  /** Lets go of the memory and ends the threads. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await Promise.all([this.batches.close(), this.exact.close()]);
    this.loaded.close();
  }

  private searchAll(queries: Float32Array, options: SearchOptions, turns: SearchTogetherOptions): Promise<Answer[]> {
    const { loaded, batches, exact } = this;
    if (options.exact === true) return searchExact(loaded, exact, queries, options, [], turns);
    const plan = planSearch(loaded, options);
    if (plan.crowding === null && plan.explainedIds === null) return batches.search(queries, plan, turns);
    // What asks for attributes goes on here, between its searches of shards.
    const { dim } = loaded.manifest;
    const asked = Array.from({ length: queries.length / dim }, (_, position) =>
      singleTask(queries.subarray(position * dim, (position + 1) * dim), plan),
    );
    const scan = poolScanner(loaded, exact);
    return searchTogether(
      loaded,
      asked,
      async (searches, signal) => {
        await batches.searchShards(
          searches.filter((one) => !one.exact),
          { signal },
        );
        await scan(
          searches.filter((one) => one.exact),
          signal,
        );
      },
      turns,
    );
  }

  private requireOpen(): void {
    if (this.closed) throw new ShortlistError('not_ready', `index ${this.manifest.index} was closed; open it again`);
  }

  private ordinalOf(id: string): number {
    const ordinal = this.loaded.ordinalOf(id);
    if (ordinal < 0) throw new ShortlistError('unknown_id', `index ${this.manifest.index} has no item ${id}`, { id });
    return ordinal;
  }

  private checkAll(queries: Float32Array, count: number): Float32Array {
    const { dim } = this.manifest;
    const checked = new Float32Array(queries.length);
    for (let position = 0; position < count; position++) {
      const query = queries.subarray(position * dim, (position + 1) * dim);
      checked.set(checkQuery(this.manifest, query, position), position * dim);
    }
    return checked;
  }

  private seedQuery(seed: Seed): SeedQuery {
    const { weight = 1, quota } = seed;
    if ('id' in seed) {
      const self = this.ordinalOf(seed.id);
      return { query: this.loaded.vectorOf(self), weight, quota, self };
    }
    checkArray(seed.vector);
    return { query: checkQuery(this.manifest, seed.vector), weight, quota };
  }

  /** Nobody may have verified the files, whose ids need not be unique then. @throws file_corrupt */
  private withIds(answer: Answer): SearchAnswer {
    const { ids } = this.loaded;
    const repeated = ids.findRepeated(answer.ordinals);
    if (repeated >= 0) throw this.repeatedId(ids.text(answer.ordinals[repeated]!));
    return { ids: ids.texts(answer.ordinals), ...answer };
  }

  private repeatedId(id: string): ShortlistError {
    const { index, version } = this.manifest;
    const message =
      `${index}@${version} has the id ${JSON.stringify(id)} twice, which no build writes; ` +
      `check it with shortlist verify ${index}@${version}, and restore it or build it again`;
    return new ShortlistError('file_corrupt', message, { index, version, id });
  }
}
