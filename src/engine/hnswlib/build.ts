/**
 * Builds a graph with hnswlib-node and writes it.
 *
 * Takes rows front to back; gives a file that was flushed, read again and checked, or no file. One thread, rows in
 * order and one seed: equal input gives equal bytes. hnswlib-node only takes real arrays of numbers and copies them
 * element by element, so one array is reused.
 */
import { closeSync, fsyncSync, openSync, rmSync, statSync } from 'node:fs';
import { ioError, ShortlistError } from '../../base/errors.js';
import type { GraphBuildOptions, GraphParameters, GraphShape, VectorSource } from '../engine.js';
import { loadGraphClass, releaseGraph, type Graph } from './addon.js';
import { checkFileSync } from './check.js';
import { MAX_GRAPH_ROWS } from './layout.js';
import { largestMagnitude, rowFactor } from './scale.js';

/** Bytes of rows in one read of the source. */
const READ_BYTES = 1024 * 1024;

/** Rows between two reports of progress: about 50 ms of work. */
const PROGRESS_ROWS = 100;

/** @see GraphEngine.build */
export async function buildHnswlib(
  source: VectorSource,
  parameters: GraphParameters,
  path: string,
  options: GraphBuildOptions = {},
): Promise<{ bytes: number }> {
  checkRowCount(source.count);
  const HierarchicalNSW = await loadGraphClass();
  const { metric, dim, count } = source;
  const { m, efConstruction, seed } = parameters;
  const graph = new HierarchicalNSW(metric === 'l2' ? 'l2' : 'ip', dim);
  graph.initIndex({ maxElements: count, m, efConstruction, randomSeed: seed });
  try {
    addRows(graph, source, rowFactor(metric, largestOf(source)), options);
    writeGraph(graph, path, { metric, dim, count, m, efConstruction });
  } finally {
    releaseGraph(graph);
  }
  return { bytes: statSync(path).size };
}

function checkRowCount(count: number): void {
  if (count <= MAX_GRAPH_ROWS) return;
  throw new ShortlistError(
    'usage',
    `a shard has ${count} rows and engine hnswlib takes ${MAX_GRAPH_ROWS}; build with more --shards`,
    { rows: count, limit: MAX_GRAPH_ROWS },
  );
}

/** All rows of the source, front to back, in reads of READ_BYTES. */
function* readRows(
  source: VectorSource,
): Generator<{ rows: Float32Array; first: number; end: number }, void, undefined> {
  const step = Math.max(1, Math.floor(READ_BYTES / (4 * source.dim)));
  for (let first = 0; first < source.count; first += step) {
    const end = Math.min(source.count, first + step);
    yield { rows: source.read(first, end), first, end };
  }
}

/** The largest component; 0 under cosine, which does not need it. */
function largestOf(source: VectorSource): number {
  let largest = 0;
  if (source.metric === 'cosine') return largest;
  for (const { rows } of readRows(source)) largest = Math.max(largest, largestMagnitude(rows));
  return largest;
}

function addRows(
  graph: Graph,
  source: VectorSource,
  factor: number,
  { onProgress, isCancelled }: GraphBuildOptions,
): void {
  const { dim, count } = source;
  const point = new Array<number>(dim).fill(0);
  for (const { rows, first, end } of readRows(source)) {
    for (let row = first; row < end; row++) {
      if (isCancelled?.() === true) throw abortError(row, count);
      const from = (row - first) * dim;
      for (let i = 0; i < dim; i++) point[i] = rows[from + i]! * factor;
      graph.addPoint(point, row);
      if ((row + 1) % PROGRESS_ROWS === 0 || row + 1 === count) onProgress?.(row + 1);
    }
  }
}

/** Like Node's own, but it keeps its name when it crosses to another thread, which a DOMException does not. */
function abortError(row: number, count: number): Error {
  const error = new Error(`the build was cancelled at row ${row} of ${count}`);
  return Object.assign(error, { name: 'AbortError', code: 'ABORT_ERR' });
}

/**
 * hnswlib reports success on a full disk and in a missing folder. So the file is opened here first, which gives a
 * clear error, and is read again before it is flushed.
 */
function writeGraph(graph: Graph, path: string, shape: GraphShape): void {
  try {
    closeSync(openSync(path, 'w'));
    graph.writeIndexSync(path);
    checkWritten(path, shape);
    const file = openSync(path, 'r+');
    try {
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    rmSync(path, { force: true });
    throw ioError('write', path, error);
  }
}

function checkWritten(path: string, shape: GraphShape): void {
  try {
    checkFileSync(path, shape);
  } catch (cause) {
    if (!(cause instanceof ShortlistError) || cause.code !== 'file_corrupt') throw cause;
    const message = `cannot write ${path}: the file differs from what was written; the disk is full or over its quota, free some space and try again`;
    throw new ShortlistError('disk_full', message, { file: path }, { cause });
  }
}
