/**
 * The seam between shortlist and whatever finds neighbours in one shard.
 *
 * Takes float32 rows (unit length under cosine, checked before they come here) and gives rows and scores. A row is a
 * shard's own dense number, 0 to count - 1, in input order; ids, ordinals and attributes are not known here. Hides the
 * graph, its codes, its file and its threads.
 *
 * Every engine returns canonical scores (base/metric.ts) in the contract's order: score descending, then row ascending.
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
 * The float32 rows of one shard, row after row. Threads see them without a copy: shared memory, or a file that each
 * maps.
 */
export interface ShardVectors {
  readonly metric: Metric;
  readonly dim: number;
  readonly count: number;
  /** count x dim values. */
  readonly values: Float32Array;
  /** Where `values` are mapped from, if they are: their memory cannot be posted to another thread. */
  readonly file?: FilePlace | undefined;
}

/** What a search did. */
export interface SearchAccount {
  readonly plan: ShardPlan;
  /** Nodes of the graph that were expanded, and distances that were computed. */
  readonly visited: number;
  readonly computed: number;
  /** Share of the rows near the query that pass the filter; 1 where nobody looked. */
  readonly nearShare: number;
  /** What each way under a filter was estimated to cost, in distances; 0 without a filter. */
  readonly costs: Readonly<Record<FilteredPlan, number>>;
}

/** What one search of one shard asks for. */
export interface ShardQuery {
  /** How many rows to return at most; from 1. */
  readonly k: number;
  /**
   * Nodes that a walk expands, and the least size of its candidate list, which is k at least. Engines that cannot
   * expand fewer than k raise it to k. Exact search ignores it.
   */
  readonly ef: number;
  /** Rows that may be returned; absent: all. */
  readonly allow?: Bitset;
  /** How many rows `allow` holds, where the caller knows. */
  readonly allowCount?: number;
  /** The rows of `allow`, ascending, where few pass and somebody has listed them; it may have more. */
  readonly allowList?: Uint32Array | undefined;
  /** Rows that must not be returned though `allow` has them, each once. `allowCount` counts them. */
  readonly leftOut?: readonly number[];
  /** Tell with the answer what the search did. */
  readonly account?: boolean;
  /** The way to take under a filter, where an engine has several; default `auto`. */
  readonly plan?: ShardPlan | undefined;
}

/** Best first. Fewer than k only where fewer rows are allowed, or the graph reached no more. */
export interface ShardAnswer {
  readonly rows: Uint32Array;
  readonly scores: Float32Array;
  /** Which way the answer was found: a graph may decide that a scan of the allowed rows is cheaper. */
  readonly path: 'graph' | 'exact';
  /** Where it was asked for and the engine keeps one. */
  readonly account?: SearchAccount;
}

/** The rows that a graph is built from. */
export interface VectorSource {
  readonly metric: Metric;
  readonly dim: number;
  readonly count: number;
  /**
   * Rows `from` to `to`, exclusive. The array is the source's and holds until the next read. Reads go front to back,
   * up to twice.
   */
  read(from: number, to: number): Float32Array;
  /** Where the rows lie, end to end, if that is a file: an engine may map it instead of reading. */
  readonly file?: FilePlace | undefined;
}

export interface GraphBuildOptions {
  /** Called every few rows with how many are in the graph. */
  readonly onProgress?: ((rowsDone: number) => void) | undefined;
  /**
   * Polled before every row, since a build blocks its thread: a flag in shared memory. True ends the build with an
   * AbortError.
   */
  readonly isCancelled?: (() => boolean) | undefined;
  /** Threads that may work on the graph, the calling one included; default 1. They change nothing in the bytes. */
  readonly threads?: number | undefined;
}

/**
 * What the build of a graph found, by name (`code_recall`), for people and for comparisons. Engines add names as they
 * have more to say; no reader depends on one. Equal builds give equal figures.
 */
export type Figures = Readonly<Record<string, number>>;

export interface GraphBuilt {
  readonly bytes: number;
  readonly figures?: Figures;
}

/** What is known of a graph file before it is read. */
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
   * What the vectors in the file are multiplied by, and queries must be: a power of two, other than 1 only where
   * hnswlib's float32 sums would overflow or vanish.
   */
  readonly factor: number;
  /** The file front to back, once. A block holds until the next one is asked for. */
  blocks(): Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
  /** Lets go of the graph. */
  close(): void;
}

/** Files that are there at once when they are mapped, in one copy for all processes. They do not change meanwhile. */
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
   * first row to the last: call it in a worker thread. Equal source, parameters and seed give equal bytes. 0 rows are
   * a graph too. On any failure `path` is gone.
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
   * Checks the file against `vectors` and opens it. The file does not change until the index is closed.
   * @param without rows, ascending, that searches go about as if they had never been inserted: they come back from no
   * search, and no walk goes by them. `allow` must not have them. For measurements of what new rows would find.
   */
  open(
    path: string,
    vectors: ShardVectors,
    parameters: Pick<GraphParameters, 'm' | 'efConstruction'>,
    without?: Uint32Array,
  ): Promise<ShardIndex>;
  /**
   * A random sample of at most `size` rows of a graph, in random order: the last that entered it, where the engine
   * inserts rows in an order of its own that has nothing to do with their vectors. Such a row searched the graph as
   * it stood before, so opening the graph without it gives what it met.
   */
  lastRows(count: number, parameters: Pick<GraphParameters, 'm' | 'seed'>, size: number): Uint32Array;
  /**
   * The graph as a file of hnswlib's, every row an element within reach of the entry. Takes what `open` takes and
   * checks it likewise; `unsupported` for more rows than hnswlib can number.
   */
  exportHnswlib(
    path: string,
    vectors: ShardVectors,
    parameters: Pick<GraphParameters, 'm' | 'efConstruction'>,
  ): Promise<HnswlibFile>;
  /** How files come into memory without a copy of each process's own; null for an engine that reads them. */
  readonly mapping: FileMapping | null;
  /**
   * The instruction set that its kernels run with on this machine; null for an engine that chooses none.
   * @throws addon_missing, and usage where SHORTLIST_ISA asks for one that is not there
   */
  instructionSet(): string | null;
  /** Memory in bytes of building or serving a graph, beside the shard's own vectors. */
  estimateBytes(count: number, dim: number, m: number): number;
}

/** One shard, open for search. */
export interface ShardIndex {
  readonly vectors: ShardVectors;
  /** Memory that this object holds beside `vectors`, in bytes. */
  readonly residentBytes: number;
  /**
   * Synchronous: at 0.1 ms a search, a thread hop would cost more than it saves. @param query dim values, unit length
   * under cosine.
   */
  search(query: Float32Array, options: ShardQuery): ShardAnswer;
  /** As `search`, but null where that would scan many rows: for callers that have long scans made elsewhere. */
  searchGraph(query: Float32Array, options: ShardQuery): ShardAnswer | null;
  /**
   * As `search`, for searches that take too long for the caller's thread: on a thread of the engine's own, where it has
   * one. They wait for each other. What it is given is copied before it begins; the object may be closed once it has.
   * Null where it would scan more rows than one thread should.
   * @param signal aborting it rejects at once with its reason, and one that waits does not begin
   */
  searchLater(query: Float32Array, options: ShardQuery, signal?: AbortSignal): Promise<ShardAnswer | null>;
  /** Exact: scans the float32 values of all rows that may be returned. */
  scanRows(query: Float32Array, options: ShardQuery): ShardAnswer;
  /**
   * Compares all that the graph says of the vectors with them, where opening compares a sample. Blocks, and reads
   * both whole. An engine whose opening compares all has nothing left to do.
   * @throws file_corrupt
   */
  verify(): void;
  /** Lets go of the memory. The object is not used again. */
  close(): void;
}
