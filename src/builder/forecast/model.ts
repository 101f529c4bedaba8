/**
 * What a build of a size costs, by formulas that were fitted to builds of 20,000 to 1,000,000 rows of 32 to 768
 * components. Takes rows, dimension and options; gives bytes and seconds. The constants are those of one machine;
 * past-builds.ts says how far another one, and other data, are off.
 *
 *   ingest     reads and checks every row and every byte of the input
 *   graph      searches for each row. Time per row grows as rows^0.2: walks are longer, and less of the graph is in the
 *              processor's caches
 *   probe      reads vectors and graphs
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

const PROBE_BYTES_PER_SECOND = 1.2e9;
const SEAL_BYTES_PER_SECOND = 7e8;

/** Threads together do the work of so many: each takes some of the others' memory bandwidth. */
const effective = (threads: number): number => threads ** 0.9;

export function modelCost(shape: BuildShape): BuildCost {
  const sizes = sizesOf(shape);
  const { rows, dim, threads, calibrate, idBytes, attributeBytes } = shape;
  const inputBytes = rows * (4 * dim + idBytes + attributeBytes);
  return {
    memoryBytes: modelMemory(shape, sizes),
    diskBytes: sizes.version,
    seconds: {
      ingest: 0.1 + 1.2e-6 * rows + inputBytes / 2.6e8,
      graph: graphSeconds(shape),
      probe: (sizes.vectors + sizes.graphs) / PROBE_BYTES_PER_SECOND,
      seal: sizes.version / SEAL_BYTES_PER_SECOND,
      calibrate: calibrate ? 1.2 + (1e-7 * rows * dim) / effective(threads) : 0,
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
  // A second thread opens the version again, and each opens it without the rows that are queries.
  const opened = threads > 1 ? 3 * vectors + 2.5 * graphs : 1.5 * (vectors + graphs);
  const calibrating = calibrate ? opened + ids + rows * attributeBytes : 0;
  return BASE_BYTES + Math.max(reading, building, calibrating);
}

/** Seconds of one thread for one row of 128 components among 100,000, at m 16 and ef_construction 200. */
const ROW_SECONDS: Readonly<Record<EngineName, number>> = { native: 50e-6, hnswlib: 250e-6 };

function graphSeconds({ rows, dim, engine, m, efConstruction, shards, threads }: BuildShape): number {
  const perRow =
    ROW_SECONDS[engine] *
    ((efConstruction + 110) / 310) *
    ((dim + 310) / 438) *
    (m / 16) ** 0.18 *
    (rows / shards / 100_000) ** 0.2;
  // hnswlib builds a graph on one thread.
  return 0.15 + (rows * perRow) / effective(engine === 'native' ? threads : Math.min(threads, shards));
}
