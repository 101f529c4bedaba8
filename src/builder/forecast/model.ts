/**
 * What a build of a size costs, by formulas. Takes rows, dimension and options; gives bytes and seconds. The constants
 * are those of two threads of a server of 2022; past-builds.ts says how far other machines and other data are off.
 *
 *   ingest     reads and checks every byte of the input
 *   graph      searches for each row. Time per row grows as rows^0.3: with the length of walks, and since less of the
 *              graph is in the processor's caches
 *   seal       reads every byte of the version
 *   calibrate  walks and scans of some hundred queries
 */
import { estimateIdTableBytes, type IdType } from '../../base/id-table.js';
import type { EngineName } from '../../engine/engine.js';
import { engineOf } from '../../engine/engines.js';

export interface BuildShape {
  readonly rows: number;
  readonly dim: number;
  readonly engine: EngineName;
  readonly m: number;
  readonly efConstruction: number;
  readonly shards: number;
  readonly threads: number;
  readonly calibrate: boolean;
  readonly idType: IdType;
  /** Mean length of a string id. */
  readonly idBytes: number;
  /** Mean size of a row's attributes. */
  readonly attributeBytes: number;
}

export const FORECAST_STAGES = ['ingest', 'graph', 'probe', 'seal', 'calibrate'] as const;
export type ForecastStage = (typeof FORECAST_STAGES)[number];

/** One value for each stage. */
export function byStage<T>(valueOf: (stage: ForecastStage) => T): Record<ForecastStage, T> {
  return Object.fromEntries(FORECAST_STAGES.map((stage) => [stage, valueOf(stage)])) as Record<ForecastStage, T>;
}

/** One number for each thing that is forecast. */
export interface BuildCost {
  /** Largest resident memory of the process, mapped files included. */
  readonly memoryBytes: number;
  /** Size of the version. */
  readonly diskBytes: number;
  readonly seconds: Readonly<Record<ForecastStage, number>>;
}

/** Node with its libraries, and two chunks of rows in every form that they pass through. */
const BASE_BYTES = 150 * 2 ** 20;

const INGEST_BYTES_PER_SECOND = 170e6;
const SEAL_BYTES_PER_SECOND = 900e6;
const PROBE_BYTES_PER_SECOND = 1.2e9;

/** Seconds of one thread for one row of 128 components among 100,000, at m 16 and ef_construction 200. */
const ROW_SECONDS: Readonly<Record<EngineName, number>> = { native: 55e-6, hnswlib: 400e-6 };
const ROWS_EXPONENT = 0.3;
/** A second thread adds this share of a thread. */
const THREAD_EXPONENT = 0.9;

export function modelCost(shape: BuildShape): BuildCost {
  const sizes = sizesOf(shape);
  const { rows, dim, threads, calibrate, idBytes, attributeBytes } = shape;
  const inputBytes = rows * (4 * dim + idBytes + attributeBytes);
  return {
    memoryBytes: modelMemory(shape, sizes),
    diskBytes: sizes.version,
    seconds: {
      ingest: inputBytes / INGEST_BYTES_PER_SECOND,
      graph: graphSeconds(shape) / threads ** THREAD_EXPONENT,
      probe: (sizes.vectors + sizes.graphs) / PROBE_BYTES_PER_SECOND,
      seal: sizes.version / SEAL_BYTES_PER_SECOND,
      calibrate: calibrate ? calibrateSeconds(shape) : 0,
    },
  };
}

interface Sizes {
  readonly vectors: number;
  readonly graphs: number;
  readonly ids: number;
  readonly version: number;
}

function sizesOf({ rows, dim, engine, m, idType, idBytes, attributeBytes }: BuildShape): Sizes {
  const vectors = rows * (4 * dim + 4);
  const graphs = engineOf(engine).estimateBytes(rows, dim, m);
  const ids = estimateIdTableBytes(idType, rows, idBytes);
  return { vectors, graphs, ids, version: vectors + graphs + ids + rows * attributeBytes };
}

/** The largest of three moments: reading the input, building as many graphs as there are threads, calibrating. */
function modelMemory({ shards, threads, calibrate, rows, attributeBytes }: BuildShape, sizes: Sizes): number {
  const { vectors, graphs, ids } = sizes;
  const reading = 2 * ids;
  const building = (Math.min(threads, shards) / shards) * (vectors + graphs);
  const calibrating = calibrate ? 3 * vectors + 2.5 * graphs + ids + rows * attributeBytes : 0; // several mappings
  return BASE_BYTES + Math.max(reading, building, calibrating);
}

/** Of one thread. */
function graphSeconds({ rows, dim, engine, m, efConstruction, shards }: BuildShape): number {
  const perRow =
    ROW_SECONDS[engine] *
    (efConstruction / 200) *
    ((dim + 64) / 192) *
    ((m + 16) / 32) *
    Math.max(0.3, (rows / shards / 100_000) ** ROWS_EXPONENT);
  return rows * perRow;
}

function calibrateSeconds({ rows, dim, threads }: BuildShape): number {
  return (2 + rows * dim * 2.5e-8 * 2) / threads ** THREAD_EXPONENT;
}
