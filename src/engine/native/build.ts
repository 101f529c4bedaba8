/**
 * Builds a graph with the addon and writes it.
 *
 * Takes the rows of a shard, mapped from their file if the source has one; gives a file that was flushed and
 * checked, or no file. Equal rows, parameters and seed give equal bytes on any number of threads. Blocks the calling
 * thread, which is one of the threads of the build.
 */
import { rmSync } from 'node:fs';
import type { Figures, GraphBuildOptions, GraphBuilt, GraphParameters, GraphShape, VectorSource } from '../engine.js';
import { addonError, callAddon, loadAddon, metricNumber, type AddonRows, type GraphFigures } from './addon.js';

/** Bytes of rows in one read of the source. */
const READ_BYTES = 1024 * 1024;

/** @see GraphEngine.build */
export async function buildNative(
  source: VectorSource,
  parameters: GraphParameters,
  path: string,
  options: GraphBuildOptions = {},
): Promise<GraphBuilt> {
  const addon = loadAddon();
  const { metric, dim, count } = source;
  const { m, efConstruction, seed } = parameters;
  const shape = { metric: metricNumber(metric), dim, count, m, efConstruction };
  const progress = (rows: number): boolean => {
    if (options.isCancelled?.() === true) return false;
    options.onProgress?.(rows);
    return true;
  };
  const threads = options.threads ?? 1;
  try {
    const { bytes, ...figures } = callAddon('write', path, () =>
      addon.build({ ...shape, ...rowsOf(source), seed, threads, path, progress }),
    );
    await checkNative(path, { metric, dim, count, m, efConstruction });
    return { bytes, figures: nameFigures(figures) };
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

/** The addon's figures by their names in manifests: codeRecall is code_recall. */
function nameFigures(figures: GraphFigures): Figures {
  const nameOf = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [nameOf(name), value]));
}

function rowsOf(source: VectorSource): AddonRows {
  if (source.file !== undefined) return { vectorsPath: source.file.path, vectorsOffset: source.file.offset };
  return { values: readAll(source) };
}

function readAll(source: VectorSource): Float32Array {
  const { dim, count } = source;
  const values = new Float32Array(count * dim);
  const step = Math.max(1, Math.floor(READ_BYTES / (4 * dim)));
  for (let from = 0; from < count; from += step) {
    const to = Math.min(count, from + step);
    values.set(source.read(from, to), from * dim);
  }
  return values;
}

/** Reads the whole file and compares structure and checksums. @see GraphEngine.check */
export async function checkNative(path: string, shape: GraphShape): Promise<void> {
  const { metric, dim, count, m, efConstruction } = shape;
  try {
    await loadAddon().check(path, { metric: metricNumber(metric), dim, count, m, efConstruction });
  } catch (error) {
    throw addonError('read', path, error);
  }
}
