/** Files of hnswlib's in tests: written from a graph, opened by hnswlib-node itself, and read link by link. */
import { readFileSync, writeFileSync } from 'node:fs';
import hnswlibNode, { type HierarchicalNSW } from 'hnswlib-node';
import type { GraphEngine, GraphParameters, HnswlibFile, ShardVectors } from '../../../src/engine/engine.js';
import { elementBytes, HEADER, HEADER_BYTES } from '../../../src/engine/hnswlib/layout.js';

/** Exports the graph at `graphPath` into a file at `path`. */
export async function writeHnswlibFile(
  engine: GraphEngine,
  graphPath: string,
  vectors: ShardVectors,
  parameters: GraphParameters,
  path: string,
): Promise<Pick<HnswlibFile, 'bytes' | 'factor'>> {
  const file = await engine.exportHnswlib(graphPath, vectors, parameters);
  const blocks: Buffer[] = [];
  for await (const block of file.blocks()) blocks.push(Buffer.from(block));
  file.close();
  writeFileSync(path, Buffer.concat(blocks));
  return { bytes: file.bytes, factor: file.factor };
}

export function openHnswlibFile(path: string, space: 'l2' | 'ip' | 'cosine', dim: number, ef: number): HierarchicalNSW {
  const graph = new hnswlibNode.HierarchicalNSW(space, dim);
  graph.readIndexSync(path);
  graph.setEf(ef);
  return graph;
}

/** Rows that can be reached on level 0 from the entry. */
export function countReachable(path: string, { dim, m }: { dim: number; m: number }): number {
  const file = readFileSync(path);
  const count = Number(file.readBigUInt64LE(HEADER.count));
  const linksOf = (row: number): number[] => {
    const at = HEADER_BYTES + row * elementBytes(dim, m);
    return Array.from({ length: file.readUInt32LE(at) }, (_, i) => file.readUInt32LE(at + 4 + 4 * i));
  };
  const waiting = [file.readUInt32LE(HEADER.entryPoint)];
  const reached = new Set(count === 0 ? [] : waiting);
  for (let row = waiting.pop(); row !== undefined && row < count; row = waiting.pop()) {
    for (const next of linksOf(row)) {
      if (!reached.has(next)) waiting.push(next);
      reached.add(next);
    }
  }
  return reached.size;
}
