/** Graph files for tests: built in a folder of their own, which the caller removes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type {
  GraphBuildOptions,
  GraphParameters,
  GraphShape,
  ShardVectors,
  VectorSource,
} from '../../src/engine/engine.js';
import { engineOf } from '../../src/engine/engines.js';
import { scratchFolder } from '../scratch.js';

export const PARAMETERS: GraphParameters = { m: 8, efConstruction: 100, seed: 42 };

export const hnswlib = engineOf('hnswlib');

export interface Folder {
  readonly path: string;
  remove(): void;
}

/** In memory where that can be: every graph is flushed to its disk. */
export function makeFolder(): Folder {
  const path = mkdtempSync(join(scratchFolder(), 'shortlist-engine-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Hands out every read in the same array, as a source that reads a file does. */
export function sourceOf({ metric, dim, count, values }: ShardVectors): VectorSource {
  let buffer = new Float32Array(0);
  const read = (from: number, to: number): Float32Array => {
    if (buffer.length < (to - from) * dim) buffer = new Float32Array((to - from) * dim);
    buffer.fill(NaN);
    buffer.set(values.subarray(from * dim, to * dim));
    return buffer.subarray(0, (to - from) * dim);
  };
  return { metric, dim, count, read };
}

export function buildGraph(
  vectors: ShardVectors,
  path: string,
  parameters: GraphParameters = PARAMETERS,
  options: GraphBuildOptions = {},
): Promise<{ bytes: number }> {
  return hnswlib.build(sourceOf(vectors), parameters, path, options);
}

export function shapeOf({ metric, dim, count }: ShardVectors, parameters: GraphParameters = PARAMETERS): GraphShape {
  return { metric, dim, count, m: parameters.m, efConstruction: parameters.efConstruction };
}
