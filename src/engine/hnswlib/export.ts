/** A graph of hnswlib-node as a file of hnswlib: its own bytes, once they are checked against the shard's vectors. */
import { open, stat } from 'node:fs/promises';
import { ioError } from '../../base/errors.js';
import type { GraphParameters, HnswlibFile, ShardVectors } from '../engine.js';
import { checkFile } from './check.js';
import { largestMagnitudeInTurns, rowFactor } from './scale.js';

const BLOCK_BYTES = 1024 * 1024;

/** @see GraphEngine.exportHnswlib */
export async function exportHnswlib(
  path: string,
  vectors: ShardVectors,
  { m, efConstruction }: Pick<GraphParameters, 'm' | 'efConstruction'>,
): Promise<HnswlibFile> {
  const { metric, dim, count, values } = vectors;
  const factor = rowFactor(metric, metric === 'cosine' ? 0 : await largestMagnitudeInTurns(values));
  await checkFile(path, { metric, dim, count, m, efConstruction }, { values, factor });
  const { size } = await stat(path);
  return { bytes: size, factor, blocks: () => readBlocks(path), close: () => undefined };
}

async function* readBlocks(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  const block = new Uint8Array(BLOCK_BYTES);
  try {
    const handle = await open(path, 'r');
    try {
      for (;;) {
        const { bytesRead } = await handle.read(block, 0, block.length);
        if (bytesRead === 0) return;
        yield block.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw ioError('read', path, error);
  }
}
