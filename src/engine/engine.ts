/**
 * The interface between shortlist and the engines that find neighbours in one shard.
 *
 * Takes float32 rows (unit length under cosine, checked by the caller) and gives rows and scores. A row is a number
 * of the shard, 0 to count - 1, in input order. Ids, ordinals and attributes are not known here. Hides the graph,
 * its codes, its file and its threads.
 *
 * Every engine returns canonical scores (base/metric.ts) in the contract's order: score descending, then row
 * ascending.
 */
import type { Bitset } from '../base/bitset.js';
import type { Metric } from '../base/metric.js';
import type { FilteredPlan, ShardPlan } from '../wire/shard-plans.js';

/** Engines that build a graph, by the names that manifests and `--engine` use. */
export type EngineName = 'hnswlib' | 'native';

/** The HNSW parameters by their names in the paper (Malkov and Yashunin 2016). */
export interface GraphParameters {
  /** Links per row above level 0; level 0 has 2m. */
  readonly m: number;
  /** Size of the candidate list while building. */
  readonly efConstruction: number;
  readonly seed: number;
}

/** A place in a file, `offset` in bytes. */
export interface FilePlace {
  readonly path: string;
  readonly offset: number;
}

/**
 * The float32 rows of one shard, one after another. Threads read them without a copy, from shared memory or from a
 * file that each maps. Mapped values must not be written: the write would stay in this process and change its
 * answers.
 */
export interface ShardVectors {
  readonly metric: Metric;
  readonly dim: number;
  readonly count: number;
  /** count x dim values. */
  readonly values: Float32Array;
  /** The file that `values` are mapped from, if any. Mapped memory cannot be posted to another thread. */
  readonly file?: FilePlace | undefined;
}

/** What a search did. */
export interface SearchAccount {
  readonly plan: ShardPlan;
  /** Nodes expanded and distances computed. */
  readonly visited: number;
  readonly computed: number;
  /** Share of the rows near the query that pass the filter; 1 if it was not measured. */
  readonly nearShare: number;
  /** Estimated cost of each plan under a filter, in distances; 0 without a filter. */
  readonly costs: Readonly<Record<FilteredPlan, number>>;
}

/** The arguments of one search of one shard. */
export interface ShardQuery {
  /** The most rows to return; from 1. */
  readonly k: number;
  /**
   * Nodes that a walk expands. Its candidate list has at least this size and at least k. Engines that cannot expand
   * fewer than k nodes raise it to k. Exact search ignores it.
   */
  readonly ef: number;
  /** Rows that may be returned; absent: all. */
  readonly allow?: Bitset;
  /** How many rows `allow` holds, if the caller knows. */
  readonly allowCount?: number;
  /**
   * The rows of `allow` as a list, ascending, if few pass and the caller has one. It may have more rows than
   * `allow`.
   */
  readonly allowList?: Uint32Array | undefined;
  /** Rows that must not be returned although `allow` has them, each once. `allowCount` counts them too. */
  readonly leftOut?: readonly number[];
  /** Return the account of the search with the answer. */
  readonly account?: boolean;
  /** The plan under a filter, for engines that have several; default `auto`. */
  readonly plan?: ShardPlan | undefined;
}

/** Best first. There are fewer than k rows only if fewer are allowed or the graph reached no more. */
export interface ShardAnswer {
  readonly rows: Uint32Array;
  readonly scores: Float32Array;
  /** How the answer was found. An engine may scan the allowed rows if that costs less than the graph. */
  readonly path: 'graph' | 'exact';
  /** Present if it was requested and the engine has one. */
  readonly account?: SearchAccount;
}

/** The rows that a graph is built from. */
export interface VectorSource {
  readonly metric: Metric;
  readonly dim: number;
  readonly count: number;
  /**
   * Rows `from` to `to`, exclusive. The array belongs to the source and is valid until the next read. Reads go front
   * to back, up to twice.
   */
  read(from: number, to: number): Float32Array;
  /** The file that holds the rows end to end, if any: an engine may map it instead of reading. */
  readonly file?: FilePlace | undefined;
}

export interface GraphBuildOptions {
  /** Called every few rows with the number of rows in the graph. */
  readonly onProgress?: ((rowsDone: number) => void) | undefined;
  /**
   * Polled before every row, since a build blocks its thread; usually a flag in shared memory. True ends the build
   * with an AbortError.
   */
  readonly isCancelled?: (() => boolean) | undefined;
  /** Threads for the build, the calling one included; default 1. The bytes do not depend on it. */
  readonly threads?: number | undefined;
}

/**
 * What the build of a graph measured, by name (`code_recall`), for people and comparisons. Engines may add names,
 * and no reader depends on one. Equal builds give equal figures.
 */
export type Figures = Readonly<Record<string, number>>;

export interface GraphBuilt {
  readonly bytes: number;
  readonly figures?: Figures;
}

/** What the caller knows about a graph file before it is read. */
export interface GraphShape {
  readonly metric: Metric;
  readonly dim: number;
  readonly count: number;
  readonly m: number;
  readonly efConstruction: number;
}

/** The graph of a shard with its vectors as hnswlib saves them (saveIndex of 0.7 and 0.8); labels are rows. */
export interface HnswlibFile {
  /** Size of the whole file. */
  readonly bytes: number;
  /**
   * The factor on the vectors in the file, which queries need too: a power of two, other than 1 only if hnswlib's
   * float32 sums would overflow or vanish.
   */
  readonly factor: number;
  /** The file front to back, once. A block is valid until the next one is requested. */
  blocks(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Releases the graph. */
  close(): void;
}

/** Maps files, of which all processes share one copy. The files must not change while they are mapped. */
interface FileMapping {
  /** `length` float32 values from byte `offset` on. @throws file_missing, file_corrupt */
  readonly vectors: (path: string, offset: number, length: number) => Float32Array;
  /** @throws file_missing, file_corrupt */
  readonly bytes: (path: string, offset: number, bytes: number) => Uint8Array;
}

/** An engine that builds a graph of one shard into one file and opens it again. */
export interface GraphEngine {
  readonly name: EngineName;
  /** Extension of graph files, without its dot: `hnsw`. */
  readonly fileSuffix: string;
  /**
   * Builds the graph of a shard and writes it to `path`, flushed to the disk and checked. Blocks its thread from the
   * first row to the last, so call it in a worker thread. Equal source, parameters and seed give equal bytes. 0 rows
   * give a graph too. If it fails, `path` does not exist.
   */
  build(
    source: VectorSource,
    parameters: GraphParameters,
    path: string,
    options?: GraphBuildOptions,
  ): Promise<GraphBuilt>;
  /** Reads the whole file and checks its structure against `shape`: `file_missing`, `file_corrupt` or `io_error`. */
  check(path: string, shape: GraphShape): Promise<void>;
  /**
   * Checks the file against `vectors` and opens it. The file must not change until the index is closed.
   * @param without rows, ascending, that searches treat as never inserted: no search returns them and no walk visits
   * them. `allow` must not have them. Used to measure what new rows would find.
   */
  open(
    path: string,
    vectors: ShardVectors,
    parameters: Pick<GraphParameters, 'm' | 'efConstruction'>,
    without?: Uint32Array,
  ): Promise<ShardIndex>;
  /**
   * A random sample of at most `size` rows in random order. An engine that inserts rows in an order independent of
   * their vectors gives the rows that entered last. Such a row searched the graph as it was before, so opening the
   * graph without it reproduces that search.
   */
  lastRows(count: number, parameters: Pick<GraphParameters, 'm' | 'seed'>, size: number): Uint32Array;
  /**
   * The graph as a file of hnswlib; every row is an element that the entry reaches. Takes and checks what `open`
   * does. `unsupported` for more rows than hnswlib can number.
   */
  exportHnswlib(
    path: string,
    vectors: ShardVectors,
    parameters: Pick<GraphParameters, 'm' | 'efConstruction'>,
  ): Promise<HnswlibFile>;
  /** How files are mapped; null for an engine that reads them. */
  readonly mapping: FileMapping | null;
  /**
   * The instruction set of its kernels on this machine; null for an engine that does not choose one.
   * @throws addon_missing; usage if SHORTLIST_ISA names a set that is not available
   */
  instructionSet(): string | null;
  /** Memory in bytes for building or serving a graph, without the shard's vectors. */
  estimateBytes(count: number, dim: number, m: number): number;
}

/** One shard, open for search. */
export interface ShardIndex {
  readonly vectors: ShardVectors;
  /** Memory that this object holds besides `vectors`, in bytes. */
  readonly residentBytes: number;
  /**
   * Synchronous, since a search takes 0.1 ms and another thread would cost more than it saves.
   * @param query dim values, unit length under cosine
   */
  search(query: Float32Array, options: ShardQuery): ShardAnswer;
  /** As `search`, but null if it would scan many rows, for callers that run long scans elsewhere. */
  searchGraph(query: Float32Array, options: ShardQuery): ShardAnswer | null;
  /**
   * As `search`, for searches that take too long for the caller's thread. They run one at a time on the engine's own
   * thread, if it has one. Arguments are copied before the search begins, and the object may be closed after that.
   * Null if it would scan more rows than one thread should.
   * @param signal aborting it rejects at once with its reason; a search that waits does not begin
   */
  searchLater(query: Float32Array, options: ShardQuery, signal?: AbortSignal): Promise<ShardAnswer | null>;
  /** Exact: scans the float32 values of all allowed rows. */
  scanRows(query: Float32Array, options: ShardQuery): ShardAnswer;
  /**
   * Compares all of the graph with the vectors, where opening compares a sample. Blocks and reads both completely.
   * Does nothing in an engine whose opening compares everything.
   * @throws file_corrupt
   */
  verify(): void;
  /** Releases the memory. The object must not be used after that. */
  close(): void;
}
