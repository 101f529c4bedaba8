/** What a build takes and what it returns. */
import type { Metric } from '../base/metric.js';
import type { EngineName, GraphParameters } from '../engine/engine.js';
import type { Calibration } from '../retrieve/load/calibration.js';
import type { FileSystem } from '../version/disk/files.js';
import type { LockOptions } from '../version/locks/lock.js';
import type { Manifest } from '../version/sealed/manifest.js';
import type { Planned } from './forecast/past-builds.js';

type OnBuildProgress = (stage: string, done: number, total: number, unit: string) => void;

/** One bad row in a hundred is normal for a feed; more point to a fault that a build must not hide. */
export const DEFAULT_MAX_REJECTED = 0.01;

/** What decides the bytes of a version, beside its input. */
export interface VersionOptions {
  readonly index: string;
  readonly attributes: 'all' | 'none' | readonly string[];
  readonly metric: Metric;
  readonly shards: number;
  readonly engine: EngineName;
  readonly parameters: GraphParameters;
  /** Components that every vector must have; default: the most frequent length. */
  readonly dim?: number | undefined;
  /** Keep decimal attributes as float64; default false. */
  readonly castDecimals?: boolean | undefined;
  readonly onBadRow: 'fail' | 'skip';
  /** Largest share of rows that `skip` may leave out; default DEFAULT_MAX_REJECTED. */
  readonly maxRejected?: number | undefined;
}

export interface BuildOptions extends VersionOptions {
  readonly root: string;
  /** Files, folders and globs, read in this order. */
  readonly inputs: readonly string[];
  /** Files of ids, one for each file of the input. */
  readonly ids?: readonly string[] | undefined;
  readonly idColumn?: string | undefined;
  readonly vectorColumn?: string | undefined;
  readonly threads: number;
  /** Calibrate the version; default false. */
  readonly calibrate?: boolean | undefined;
  /** File for the rows left out; default: in the version's notes. */
  readonly rejectsPath?: string | undefined;
  /** Continue a build of the same input and options that was killed; default true. */
  readonly resume?: boolean | undefined;
  /** The caller publishes the version and then calls `forgetBuild`: a kill before that is continued too. */
  readonly publishes?: boolean | undefined;
  /** Default: the free memory. */
  readonly memoryLimitBytes?: number | undefined;
  readonly onProgress?: OnBuildProgress | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Receives what a person may want to know, such as that an unfinished build is continued. */
  readonly onNote?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** For tests. */
  readonly files?: FileSystem | undefined;
  readonly now?: (() => Date) | undefined;
  readonly lock?: Omit<LockOptions, 'files' | 'signal'> | undefined;
}

export interface BuildResult {
  readonly manifest: Manifest;
  readonly bytes: number;
  /** From the start of the build to its end, calibration included. */
  readonly seconds: number;
  /** Seconds of each stage, including stages after sealing. */
  readonly stages: Readonly<Record<string, number>>;
  /** Whether the build continued one that was killed. */
  readonly resumed: boolean;
  /** What the build foresaw when it began; null if it continued another. */
  readonly planned: Planned | null;
  /** Largest resident memory of the process, in bytes. */
  readonly peakBytes: number;
  /** Null if it was not requested or could not be measured. */
  readonly calibration: Calibration | null;
  /** Null if no row was left out. */
  readonly rejectsPath: string | null;
}
