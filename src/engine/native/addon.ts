/** The one place that loads the addon of the native engine, when it is first needed. */
import { createRequire } from 'node:module';
import { errnoOf, ERRORS, ioError, ShortlistError, type ErrorCode } from '../../base/errors.js';
import type { Metric } from '../../base/metric.js';

/** What the build of a graph found. */
export interface GraphFigures {
  /** 7: integer codes. 32: the float32 rows themselves, where codes lose neighbours. */
  readonly codeBits: number;
  /** Share of the 10 nearest of sampled rows that are among the 20 nearest by code. */
  readonly codeRecall: number;
  /** Share of the answers of searches by float32 rows that searches by codes find too, at the same ef. */
  readonly traversalRecall: number;
  /** Rows that an equal one stands for in the graph. */
  readonly equalRows: number;
  /** Rows that could not be reached from the entry, and were linked in. */
  readonly unreachable: number;
  /** Rows that a search for their own vector did not find, and were linked in. */
  readonly unfound: number;
}

interface AddonShape {
  readonly metric: number;
  readonly dim: number;
  readonly count: number;
  readonly m: number;
  readonly efConstruction: number;
}

/** Float32 rows in memory, or where they lie in a file. */
export type AddonRows =
  { readonly values: Float32Array } | { readonly vectorsPath: string; readonly vectorsOffset: number };

interface AddonBuild {
  readonly seed: number;
  readonly threads: number;
  readonly path: string;
  /** Called on this thread every 50 ms; false cancels. */
  readonly progress: (rowsDone: number) => boolean;
}

interface AddonOpen {
  readonly path: string;
  /** Rows, ascending, that no search meets. */
  readonly hidden: Uint32Array | undefined;
}

/** One open graph. Queries go in and answers come out through buffers that are shared once. */
export interface AddonShard {
  /**
   * @param plan position in SHARD_PLANS
   * @param maxScanned components that may be scanned; a search that must scan more ends with the plan 'auto'
   * @param allowList the rows of `allow`, ascending; some may have been taken out of it
   * @returns how many rows were found
   */
  search(
    k: number,
    ef: number,
    allow: Uint32Array | undefined,
    allowed: number,
    plan: number,
    maxScanned: number,
    allowList?: Uint32Array,
  ): number;
  /** As `search`, on a thread of the addon's. What it is given is copied before it returns. */
  searchLater(
    k: number,
    ef: number,
    allow: Uint32Array | undefined,
    allowed: number,
    plan: number,
    maxScanned: number,
    allowList: Uint32Array | undefined,
    query: Float32Array,
  ): Promise<{ readonly rows: Uint32Array; readonly scores: Float32Array; readonly counters: Float64Array }>;
  figures(): GraphFigures;
  /** Blocks: compares all of the graph with the rows. */
  verify(): void;
  close(): void;
}

export interface AddonBuffers {
  readonly query: Float32Array;
  readonly foundRows: Uint32Array;
  readonly foundScores: Float32Array;
  /** The account of the last search: see accountOf in open.ts. */
  readonly counters: Float64Array;
}

interface AddonScan {
  readonly metric: number;
  readonly dim: number;
  readonly count: number;
  readonly values: Float32Array;
  readonly queries: Float32Array;
  readonly k: number;
  readonly allow: Uint32Array | undefined;
  /** One number in shared memory; other than 0 cancels. */
  readonly cancel: Int32Array;
}

/** Threads for exact scans, on which scans in flight take turns. */
export interface AddonScanPool {
  /** One answer for each query. `queries` and `allow` are copied before it returns. */
  scan(options: AddonScan): Promise<{ readonly rows: Uint32Array; readonly scores: Float32Array }[]>;
  /** Ends the threads; scans in flight are rejected as cancelled. */
  close(): void;
}

/** A graph on its way into a file of hnswlib. */
export interface AddonHnswlibExport {
  /** Size of the whole file. */
  bytes(): number;
  /** Puts what comes next into `block`. @returns how many bytes; 0 at the end */
  read(block: Uint8Array): number;
  close(): void;
}

/** `factor`: what every component is multiplied by. */
type AddonExportOptions = AddonShape & AddonRows & { readonly path: string; readonly factor: number };

export interface Addon {
  isa(): string;
  build(options: AddonShape & AddonRows & AddonBuild): GraphFigures & { readonly bytes: number };
  /** The rows of a graph that entered it last, the very last first; none of an upper level. */
  lastRows(options: { count: number; m: number; seed: number; size: number }): Uint32Array;
  check(path: string, shape: AddonShape): Promise<void>;
  map(path: string, offset: number, bytes: number): ArrayBuffer;
  readonly ScanPool: new (threads: number) => AddonScanPool;
  readonly Shard: new (options: AddonShape & AddonRows & AddonBuffers & AddonOpen) => AddonShard;
  readonly HnswlibExport: new (options: AddonExportOptions) => AddonHnswlibExport;
}

/** Beside this file where it was put for shipping, else where node-gyp leaves it. */
const PLACES = ['./shortlist_native.node', '../../../src/engine/native/build/Release/shortlist_native.node'];

const COMMAND = 'npm run build:native';

let loaded: Addon | undefined;

/** @throws addon_missing where it was never compiled, or for another Node or system; usage for a wrong SHORTLIST_ISA */
export function loadAddon(): Addon {
  loaded ??= requireAddon();
  return loaded;
}

/** Whether there is an addon to load. @throws usage for a wrong SHORTLIST_ISA, which is no reason to do without it */
export function hasAddon(): boolean {
  try {
    loadAddon();
    return true;
  } catch (error) {
    if (error instanceof ShortlistError && error.code === 'addon_missing') return false;
    throw error;
  }
}

function requireAddon(): Addon {
  const require = createRequire(import.meta.url);
  const reasons: string[] = [];
  for (const place of PLACES) {
    try {
      const addon = require(place) as Addon;
      callAddon('start', 'the native engine', () => addon.isa());
      return addon;
    } catch (cause) {
      if (cause instanceof ShortlistError) throw cause;
      if (!isModuleMissing(cause)) reasons.push(cause instanceof Error ? cause.message.split('\n')[0]! : String(cause));
    }
  }
  const why = reasons[0] ?? 'it is not compiled';
  throw new ShortlistError(
    'addon_missing',
    `the addon of the native engine cannot be loaded (${why}); install a C++ compiler, make and python3, then run: ${COMMAND}`,
    { command: COMMAND },
  );
}

function isModuleMissing(error: unknown): boolean {
  return errnoOf(error) === 'MODULE_NOT_FOUND';
}

/** Calls into the addon; its failures come out as errors of ours that name the file. */
export function callAddon<T>(action: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw addonError(action, path, error);
  }
}

/** What the addon threw, as an error of ours. */
export function addonError(action: string, path: string, error: unknown): unknown {
  const code = errnoOf(error);
  if (!(error instanceof Error) || code === null || error instanceof ShortlistError) return error;
  if (code === 'cancelled') return Object.assign(new Error(error.message), { name: 'AbortError', code: 'ABORT_ERR' });
  if (isErrorCode(code)) return new ShortlistError(code, error.message, { file: path }, { cause: error });
  return ioError(action, path, error);
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code);
}

const METRIC_NUMBERS: Readonly<Record<Metric, number>> = { cosine: 0, ip: 1, l2: 2 };

export function metricNumber(metric: Metric): number {
  return METRIC_NUMBERS[metric];
}
