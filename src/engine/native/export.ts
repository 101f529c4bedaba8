/**
 * A graph of the native engine as a file of hnswlib. core/export_hnswlib.cc makes the bytes one block at a time, so
 * that the caller keeps the event loop free and memory is one block.
 */
import { ShortlistError } from '../../base/errors.js';
import type { GraphParameters, HnswlibFile, ShardVectors } from '../engine.js';
import { MAX_GRAPH_ROWS } from '../hnswlib/layout.js';
import { largestMagnitudeInTurns, rowFactor } from '../hnswlib/scale.js';
import { callAddon, loadAddon, metricNumber, type AddonHnswlibExport } from './addon.js';

/** Above the largest element (66,572 bytes); about a millisecond of work. */
const BLOCK_BYTES = 1024 * 1024;

/** @see GraphEngine.exportHnswlib */
export async function exportNative(
  path: string,
  vectors: ShardVectors,
  { m, efConstruction }: Pick<GraphParameters, 'm' | 'efConstruction'>,
): Promise<HnswlibFile> {
  const { metric, dim, count, values } = vectors;
  requireNumbers(path, count);
  const factor = rowFactor(metric, metric === 'cosine' ? 0 : await largestMagnitudeInTurns(values));
  const options = { metric: metricNumber(metric), dim, count, m, efConstruction, values, path, factor };
  const { HnswlibExport } = loadAddon();
  const graph = callAddon('open', path, () => new HnswlibExport(options));
  return { bytes: graph.bytes(), factor, blocks: () => readBlocks(path, graph), close: () => graph.close() };
}

function requireNumbers(path: string, count: number): void {
  if (count <= MAX_GRAPH_ROWS) return;
  throw new ShortlistError(
    'unsupported',
    `${path} has ${count} rows and hnswlib takes ${MAX_GRAPH_ROWS}; build with more --shards and export that version`,
    { file: path, rows: count, limit: MAX_GRAPH_ROWS },
  );
}

function* readBlocks(path: string, graph: AddonHnswlibExport): Generator<Uint8Array, void, undefined> {
  const block = new Uint8Array(BLOCK_BYTES);
  for (;;) {
    const filled = callAddon('read', path, () => graph.read(block));
    if (filled === 0) return;
    yield block.subarray(0, filled);
  }
}
