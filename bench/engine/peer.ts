/**
 * The interface of a measured engine: a program that builds an index of a data set, and one that opens and searches it.
 * Each runs in its own process (host.ts), so that memory, open time and crashes belong to one engine.
 */
import type { Metric } from '../../src/base/metric.js';

/** Build parameters of every engine, by the names of the HNSW paper. */
export const M = 16;
export const EF_CONSTRUCTION = 200;
export const SEED = 42;

/** In a data set's folder: the answers of the engine that was asked last. */
export const ANSWERS_FILE = 'answers.u32';

/** Vectors on disk: `base.f32` and `queries.f32` (little-endian float32, row after row), `base.arrow` with ids 0, 1, ... */
export interface DataSet {
  readonly name: string;
  readonly folder: string;
  readonly rows: number;
  readonly dim: number;
  /** Rows and queries are of unit length under cosine. */
  readonly metric: Extract<Metric, 'cosine' | 'l2'>;
  readonly queries: number;
}

/** How a search is asked for: `{ef: 100}`. The options object of the engine's own interface, where it has one. */
export type Point = Readonly<Record<string, number | boolean>>;

export interface BuildJob {
  readonly data: DataSet;
  /** Empty; the index goes there. */
  readonly folder: string;
  readonly threads: number;
}

export interface Built {
  /** From vectors in memory (shortlist: an Arrow file) to an index on disk. */
  readonly seconds: number;
  /** The graph alone, without reading input and writing output, where the engine tells them apart. */
  readonly graphSeconds: number;
  /** What must be on disk to serve the index. */
  readonly bytes: number;
  readonly threads: number;
  /** Name of the version in the folder, for engines that name them. */
  readonly version?: string;
}

export interface SearchJob {
  readonly data: DataSet;
  readonly folder: string;
  readonly built: Built;
}

/** An open index. `search` does what a caller of the engine would do, and nothing else: it is what is timed. */
export interface Searcher {
  search(query: number, k: number, point: Point): void;
  /** Positions in `base.f32` of what the last search found. */
  rows(): ArrayLike<number>;
}

export type OpenIndex = () => Searcher | Promise<Searcher>;

export interface Peer {
  build(job: BuildJob): Promise<Omit<Built, 'threads'>>;
  /** Loads what does not belong to opening an index (queries, the engine's code) and returns what does. */
  prepare(job: SearchJob): Promise<OpenIndex>;
  /** Whether a search failed since its point asks for more than the engine can promise. */
  isRefusal?(error: unknown): boolean;
}
