/**
 * The library: opens an index in this process and searches it without a server. The commands `query` and `batch` use
 * it. Answers are the same as the server's.
 */
import { setMaxListeners } from 'node:events';
import { ShortlistError } from '../../base/errors.js';
import type { IdTable } from '../../base/id-table.js';
import { availableCores } from '../../base/machine.js';
import { openExactSearch, type ExactSearch } from '../../engine/exact-search.js';
import { resolveVersion } from '../../version/state/catalog.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { BatchPool, TASK_QUERIES, threadSearcher } from './batch-pool.js';
import { packAnswers, packSeedAnswers, type PackedAnswers } from './packed-answers.js';
import type { JsonValue } from '../../arrow/column-value.js';
import { loadVersion, type LoadedVersion } from '../load/loaded-version.js';
import { checkArray, checkId, checkNames, checkOpening, checkOptions, checkSeeds } from './library-options.js';
import { checkQueries, checkQuery } from '../search/query.js';
import type { Answer } from '../search/answer.js';
import {
  singleTask,
  search,
  searchExact,
  searchSeeds,
  searchTogether,
  type SearchTogetherOptions,
} from '../search/run-search.js';
import { planSearch, type SearchPlan } from '../search/search-plan.js';
import { planSeeds } from '../search/seeds.js';
import type { SearchOptions, SeedQuery } from '../search/search-options.js';

export interface OpenIndexOptions {
  /** A version or alias; default: the published version. */
  readonly version?: string | undefined;
  /** Numbers of the shards to open, with only their files and items; default: all. */
  readonly shards?: readonly number[] | undefined;
  /** Threads of `searchBatch`; default: one per core. */
  readonly threads?: number | undefined;
  /** Aborting it rejects `openIndex` with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Same as the server's request fields. `k` defaults to 100. */
export type IndexSearchOptions = Partial<SearchOptions>;

export interface BatchSearchOptions extends IndexSearchOptions {
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Aborting it rejects the call with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

/** One of several queries with one answer: an item by its id, or a vector of `dim` values. */
export type Seed = ({ readonly id: string } | { readonly vector: Float32Array }) & {
  /** Above 0; default 1. Scores with this seed are multiplied by it; negative scores are divided. */
  readonly weight?: number | undefined;
  /** Maximum number of candidates from this seed; default k. */
  readonly quota?: number | undefined;
};

/** The seeds of one query, as a batch reads them. A null id is that of no item. */
type ItemSeeds = readonly { readonly id: string | null; readonly weight: number; readonly quota: number | undefined }[];

interface KnownSeeds {
  readonly queries: readonly SeedQuery[];
  /** Of these seeds in the query. */
  readonly positions: readonly number[];
}

/** Of a query without seeds that the index has. */
const NO_ANSWER = { ordinals: new Uint32Array(0), scores: new Float32Array(0) } as Answer;

/** Best first: `ids[i]` has `scores[i]`. */
export interface SearchAnswer extends Answer {
  readonly ids: string[];
}

/**
 * Opens one version of an index.
 * @param root folder that contains the indexes
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
  checkOpening(options);
  const { version, shards, threads = availableCores(), signal } = options;
  const name = await resolveVersion(root, index, version);
  return new OpenIndex(await loadVersion(root, index, name, { shards, signal }), threads);
}

/** Memory of groups that are searched while earlier answers are written: about a second of work. */
const AHEAD_BYTES = 32 * 2 ** 20;

/** The same values in pieces of one length, except the last. */
async function* regroup(blocks: AsyncIterable<Float32Array>, length: number): AsyncGenerator<Float32Array> {
  let group = new Float32Array(length);
  let filled = 0;
  for await (const block of blocks) {
    for (let from = 0; from < block.length;) {
      const taken = Math.min(block.length - from, length - filled);
      group.set(block.subarray(from, from + taken), filled);
      [from, filled] = [from + taken, filled + taken];
      if (filled < length) continue;
      yield group;
      [group, filled] = [new Float32Array(length), 0];
    }
  }
  if (filled > 0) yield group.subarray(0, filled);
}

/** As `regroup`, for rows of any kind. */
async function* regroupRows<T>(blocks: AsyncIterable<readonly T[]>, size: number): AsyncGenerator<readonly T[]> {
  let group: T[] = [];
  for await (const block of blocks) {
    for (const row of block) {
      group.push(row);
      if (group.length < size) continue;
      yield group;
      group = [];
    }
  }
  if (group.length > 0) yield group;
}

export class OpenIndex {
  private readonly batches: BatchPool;
  private readonly exact: ExactSearch;
  private readonly loaded: LoadedVersion;
  /** Holds the query of the current search. */
  private readonly scratch: Float32Array;
  /** 1 for each ordinal whose id was found to be unique; made for the first stream of queries. */
  private checkedIds: Uint8Array | null = null;
  private closed = false;

  /** Use `openIndex`. */
  constructor(
    version: LoadedVersion,
    private readonly threads: number,
  ) {
    this.loaded = version;
    this.scratch = new Float32Array(version.manifest.dim);
    this.batches = new BatchPool(version, threads);
    this.exact = openExactSearch(threads);
  }

  get manifest(): Manifest {
    return this.loaded.manifest;
  }

  /** The table of ids, by ordinal and by text. */
  get ids(): IdTable {
    return this.loaded.ids;
  }

  /**
   * The k best items for one vector, computed synchronously on the calling thread.
   * @param query `dim` float32 values; not changed
   * @throws ShortlistError `dimension_mismatch`, `vector_not_finite`, `vector_zero`, `k_out_of_range`, ...
   */
  search(query: Float32Array, options: IndexSearchOptions = {}): SearchAnswer {
    this.requireOpen();
    checkArray(query);
    const checked = checkQuery(this.manifest, query, undefined, this.scratch);
    return this.withIds(search(this.loaded, checked, checkOptions(options)));
  }

  /** The k best items for the vector of an item, without the item itself. @throws ShortlistError `unknown_id` */
  searchById(id: string, options: IndexSearchOptions = {}): SearchAnswer {
    this.requireOpen();
    const ordinal = this.ordinalOf(id);
    return this.withIds(search(this.loaded, this.loaded.vectorOf(ordinal), checkOptions(options), ordinal));
  }

  /**
   * One answer for several queries: the best of all, each with its best seed. Items that are seeds are not returned.
   */
  searchSeeds(seeds: readonly Seed[], options: IndexSearchOptions = {}): SearchAnswer {
    this.requireOpen();
    checkSeeds(seeds);
    const queries = seeds.map((seed) => this.seedQuery(seed));
    return this.withIds(searchSeeds(this.loaded, queries, checkOptions(options)));
  }

  /**
   * One answer per query, in order, computed on all cores off the calling thread.
   * @param queries vectors of `dim` float32 values, one after the other
   */
  async searchBatch(queries: Float32Array, options: BatchSearchOptions = {}): Promise<SearchAnswer[]> {
    this.requireOpen();
    checkArray(queries);
    const count = queries.length / this.manifest.dim;
    if (!Number.isInteger(count)) {
      const message = `the batch has ${queries.length} values, which is not a multiple of the dimension ${this.manifest.dim}`;
      throw new ShortlistError('dimension_mismatch', message, { expected: this.manifest.dim });
    }
    const checked = checkQueries(this.manifest, queries);
    const wanted = checkOptions(options);
    const onProgress = (done: number) => options.onProgress?.(Math.min(done, count), count);
    const answers = await this.searchAll(checked, wanted, { onProgress, signal: options.signal });
    onProgress(count);
    return answers.map((answer) => this.withIds(answer));
  }

  /**
   * Answers a stream of queries, in memory for some groups of them.
   * @param blocks whole vectors, checked
   * @param size queries of a group, except the last
   * @returns for each group its answers, in order
   */
  searchStream(
    blocks: AsyncIterable<Float32Array>,
    size: number,
    options: BatchSearchOptions = {},
  ): AsyncGenerator<PackedAnswers[], void, undefined> {
    this.requireOpen();
    const wanted = checkOptions(options);
    const plan = planSearch(this.loaded, wanted);
    const isPlain = wanted.exact !== true && plan.crowding === null && plan.explainedIds === null;
    const { signal } = options;
    const answer = async (queries: Float32Array): Promise<PackedAnswers[]> =>
      isPlain ? this.batches.searchPacked(queries, plan, { signal }) : [packAnswers(await this.searchAll(queries, wanted, { signal }))]; // prettier-ignore
    return this.answerGroups(regroup(blocks, size * this.manifest.dim), answer, size, wanted.k, signal);
  }

  /**
   * As `searchStream`, for queries that are lists of items. Ids that the index does not have are left out: items go
   * while people still remember them. A query without any known id has no candidates.
   * @param onUnknown called with the number of ids that were left out
   */
  searchSeedStream(
    blocks: AsyncIterable<readonly ItemSeeds[]>,
    size: number,
    options: BatchSearchOptions = {},
    onUnknown: (ids: number) => void = () => undefined,
  ): AsyncGenerator<PackedAnswers[], void, undefined> {
    this.requireOpen();
    const wanted = checkOptions(options);
    const plan = planSearch(this.loaded, wanted);
    const { signal } = options;
    const answer = async (queries: readonly ItemSeeds[]): Promise<PackedAnswers[]> => {
      const known = queries.map((seeds) => this.knownSeeds(seeds, onUnknown));
      return [packSeedAnswers(await this.searchSeedQueries(known, plan, signal), known.map(({ positions }) => positions))]; // prettier-ignore
    };
    return this.answerGroups(regroupRows(blocks, size), answer, size, wanted.k, signal);
  }

  /** Answers of groups, in their order; some groups are answered ahead of the one that is taken. */
  private async *answerGroups<T>(
    groups: AsyncIterable<T>,
    answer: (group: T) => Promise<PackedAnswers[]>,
    size: number,
    k: number,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<PackedAnswers[], void, undefined> {
    if (signal !== undefined) setMaxListeners(0, signal); // one for each group that runs
    const running: Promise<PackedAnswers[]>[] = [];
    const groupBytes = size * 4 * (this.manifest.dim + 2 * k);
    const ahead = Math.max(2, Math.ceil((this.threads * TASK_QUERIES) / size), Math.floor(AHEAD_BYTES / groupBytes));
    for await (const group of groups) {
      const next = answer(group);
      next.catch(() => undefined); // reported when its turn comes
      running.push(next);
      if (running.length >= ahead) yield this.checkPacked(await running.shift()!);
    }
    for (const next of running) yield this.checkPacked(await next);
  }

  private knownSeeds(seeds: ItemSeeds, onUnknown: (ids: number) => void): KnownSeeds {
    const queries: SeedQuery[] = [];
    const positions: number[] = [];
    for (const [position, { id, weight, quota }] of seeds.entries()) {
      const self = id === null ? -1 : this.loaded.ordinalOf(id);
      if (self < 0) continue;
      queries.push({ query: this.loaded.vectorOf(self), weight, quota, self });
      positions.push(position);
    }
    if (queries.length < seeds.length) onUnknown(seeds.length - queries.length);
    return { queries, positions };
  }

  /** One answer for each list of seeds, computed together on the threads of batches. */
  private async searchSeedQueries(
    lists: readonly KnownSeeds[],
    plan: SearchPlan,
    signal: AbortSignal | undefined,
  ): Promise<Answer[]> {
    const { loaded, batches, exact } = this;
    const asked = lists.filter(({ queries }) => queries.length > 0);
    const tasks = asked.map(({ queries }) => ({ plan: planSeeds(loaded, plan, queries), queries, kind: 'seeds' as const })); // prettier-ignore
    const answers = await searchTogether(loaded, tasks, threadSearcher(loaded, batches, exact), { signal });
    const next = answers.values();
    return lists.map(({ queries }) => (queries.length > 0 ? next.next().value! : NO_ANSWER));
  }

  /** Checks that ids are unique, since the files may not have been verified; each id once. @throws file_corrupt */
  private checkPacked(packed: PackedAnswers[]): PackedAnswers[] {
    const { ids, count } = this.loaded;
    const checked = (this.checkedIds ??= new Uint8Array(count));
    for (const { ordinals } of packed) {
      const fresh: number[] = [];
      for (const ordinal of ordinals) {
        if (checked[ordinal] === 1) continue;
        checked[ordinal] = 1;
        fresh.push(ordinal);
      }
      // A table finds the first of two equal ids.
      const found = ids.match(ids, Uint32Array.from(fresh));
      const repeated = fresh.findIndex((ordinal, i) => found[i] !== ordinal);
      if (repeated >= 0) throw this.repeatedId(ids.text(fresh[repeated]!));
    }
    return packed;
  }

  /** The item's vector, at unit length under cosine. @throws ShortlistError `unknown_id` */
  vector(id: string): Float32Array {
    this.requireOpen();
    return this.loaded.vectorOf(this.ordinalOf(id));
  }

  /** The item's attributes by name. @param names default: all @throws ShortlistError `unknown_id` */
  attributes(id: string, names?: readonly string[]): Record<string, JsonValue> {
    this.requireOpen();
    checkNames(names);
    const { attributes } = this.loaded;
    const ordinal = this.ordinalOf(id);
    if (attributes === null) return {};
    return Object.fromEntries((names ?? attributes.names).map((name) => [name, attributes.value(name, ordinal)]));
  }

  /** Frees the memory and ends the threads. */
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
    // Searches that need attributes continue on this thread between their shard searches.
    const { dim } = loaded.manifest;
    const asked = Array.from({ length: queries.length / dim }, (_, position) =>
      singleTask(queries.subarray(position * dim, (position + 1) * dim), plan),
    );
    return searchTogether(loaded, asked, threadSearcher(loaded, batches, exact), turns);
  }

  private requireOpen(): void {
    if (this.closed) throw new ShortlistError('not_ready', `index ${this.manifest.index} was closed; open it again`);
  }

  private ordinalOf(id: string): number {
    checkId(id);
    const ordinal = this.loaded.ordinalOf(id);
    if (ordinal < 0) throw new ShortlistError('unknown_id', `index ${this.manifest.index} has no item ${id}`, { id });
    return ordinal;
  }

  /** @param seed checked */
  private seedQuery(seed: Seed): SeedQuery {
    const { id, vector, weight = 1, quota } = seed as Seed & { readonly id?: string; readonly vector?: Float32Array };
    if (id === undefined) return { query: checkQuery(this.manifest, vector!), weight, quota };
    const self = this.ordinalOf(id);
    return { query: this.loaded.vectorOf(self), weight, quota, self };
  }

  /** Adds ids. Checks that they are unique, since the files may not have been verified. @throws file_corrupt */
  private withIds(answer: Answer): SearchAnswer {
    const { ids } = this.loaded;
    const repeated = ids.findRepeated(answer.ordinals);
    if (repeated >= 0) throw this.repeatedId(ids.text(answer.ordinals[repeated]!));
    return { ids: ids.texts(answer.ordinals), ...answer };
  }

  private repeatedId(id: string): ShortlistError {
    const { index, version } = this.manifest;
    const message =
      `${index}@${version} has the id ${JSON.stringify(id)} twice, so its files are damaged; ` +
      `run shortlist verify ${index}@${version}, and restore the version or build it again`;
    return new ShortlistError('file_corrupt', message, { index, version, id });
  }
}
