/** The only place that loads the addon of the native engine, on first use. */
import { createRequire } from 'node:module';
import { errnoOf, ERRORS, ioError, ShortlistError, type ErrorCode } from '../../base/errors.js';
import type { Metric } from '../../base/metric.js';

/** What the build of a graph measured. */
export interface GraphFigures {
  /** Bits of a component of the codes: 4, 7 or 16; 32 for the float32 rows, where codes lose neighbours. */
  readonly codeBits: number;
  /** For sampled rows, the share of the 10 nearest that are among the 20 nearest by code. */
  readonly codeRecall: number;
  /** Share of the results of float32 searches that searches by codes also find at the same ef. */
  readonly traversalRecall: number;
  /** Rows that an equal row represents in the graph. */
  readonly equalRows: number;
  /** Rows that were not reachable from the entry until the audit linked them. */
  readonly unreachable: number;
  /** Rows that a search for their own vector did not find until the audit linked them. */
  readonly unfound: number;
}

interface AddonShape {
  readonly metric: number;
  readonly dim: number;
  readonly count: number;
  readonly m: number;
  readonly efConstruction: number;
}

/** Float32 rows in memory, or their place in a file. */
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
  /** Rows, ascending, that searches treat as never inserted. */
  readonly hidden: Uint32Array | undefined;
}

/** One open graph. Queries and answers pass through buffers that are shared once. */
export interface AddonShard {
  /**
   * @param plan position in SHARD_PLANS
   * @param maxScanned components that may be scanned; a search that must scan more ends with the plan 'auto'
   * @param allowList the rows of `allow`, ascending; it may have more
   * @returns the number of rows found
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
  /** As `search`, on the addon's thread. Arguments are copied before it returns. */
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
  /** One number in shared memory; any value but 0 cancels. */
  readonly cancel: Int32Array;
}

/** Threads for exact scans. Scans in flight take turns. */
export interface AddonScanPool {
  /** One answer for each query. `queries` and `allow` are copied before it returns. */
  scan(options: AddonScan): Promise<{ readonly rows: Uint32Array; readonly scores: Float32Array }[]>;
  /** Ends the threads; scans in flight are rejected as cancelled. */
  close(): void;
}

/** A graph that is being exported as a file of hnswlib. */
export interface AddonHnswlibExport {
  /** Size of the whole file. */
  bytes(): number;
  /** Puts the next part into `block`. @returns the number of bytes; 0 at the end */
  read(block: Uint8Array): number;
  close(): void;
}

/** `factor` multiplies every component. */
type AddonExportOptions = AddonShape & AddonRows & { readonly path: string; readonly factor: number };

export interface Addon {
  isa(): string;
  build(options: AddonShape & AddonRows & AddonBuild): GraphFigures & { readonly bytes: number };
  /** The rows that entered a graph last, latest first; all of level 0. */
  lastRows(options: { count: number; m: number; seed: number; size: number }): Uint32Array;
  check(path: string, shape: AddonShape): Promise<void>;
  map(path: string, offset: number, bytes: number): ArrayBuffer;
  readonly ScanPool: new (threads: number) => AddonScanPool;
  readonly Shard: new (options: AddonShape & AddonRows & AddonBuffers & AddonOpen) => AddonShard;
  readonly HnswlibExport: new (options: AddonExportOptions) => AddonHnswlibExport;
}

/** Beside this file in a package, else where node-gyp puts it. */
const PLACES = ['./shortlist_native.node', '../../../src/engine/native/build/Release/shortlist_native.node'];

const COMMAND = 'npm run build:native';

let loaded: Addon | undefined;

/**
 * @throws addon_missing if it was not compiled, or compiled for another Node or system; usage for a wrong
 * SHORTLIST_ISA
 */
export function loadAddon(): Addon {
  loaded ??= requireAddon();
  return loaded;
}

/** Whether the addon can be loaded. @throws usage for a wrong SHORTLIST_ISA, which must not hide the addon */
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

/** Calls the addon and turns its failures into errors of this project that name the file. */
export function callAddon<T>(action: string, path: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw addonError(action, path, error);
  }
}

/** The error of this project for what the addon threw. */
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
