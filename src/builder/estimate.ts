/**
 * Estimates what a build needs before it starts. Memory peaks while the graphs are built (as many shards as threads),
 * or at the end, when the probe opens one shard after the other.
 */
import { constants } from 'node:buffer';
import { formatBytes } from '../base/byte-size.js';
import { ShortlistError } from '../base/errors.js';
import { estimateIdTableBytes, type IdType } from '../base/id-table.js';
import { engineOf } from '../engine/engines.js';
import type { EngineName } from '../engine/engine.js';

/** Node itself, read buffers and one chunk of rows. */
const BASE_BYTES = 300 * 2 ** 20;
/** Usable share of the free memory; other processes may need the rest. */
const SAFE_SHARE = 0.95;

export interface BuildSize {
  readonly idType: IdType;
  readonly dim: number;
  /** Rows of each shard; equal parts before they are known. */
  readonly shardRows: readonly number[];
  readonly engine: EngineName;
  readonly m: number;
  readonly threads: number;
}

/** Memory below which a build refuses to start: what must not be dropped, unlike mapped files. */
export function estimateBuildBytes(size: BuildSize): number {
  const engine = engineOf(size.engine);
  const rows = sum(size.shardRows);
  const graphs = size.shardRows.map((rows) => engine.estimateBytes(rows, size.dim, size.m)).sort((a, b) => b - a);
  const building = sum(graphs.slice(0, size.threads));
  const probing = (graphs[0] ?? 0) + Math.max(...size.shardRows) * size.dim * 4;
  return BASE_BYTES + estimateIdTableBytes(size.idType, rows) + Math.max(building, probing);
}

/** Bytes on disk: vectors twice (for exact search and in the graph), links, ids, and the rest of the sources. */
export function estimateDiskBytes(size: BuildSize, sourceBytes: number): number {
  const engine = engineOf(size.engine);
  const rows = sum(size.shardRows);
  const graphs = sum(size.shardRows.map((rows) => engine.estimateBytes(rows, size.dim, size.m)));
  const vectors = rows * size.dim * 4;
  return vectors + graphs + estimateIdTableBytes(size.idType, rows) + Math.max(0, sourceBytes - vectors);
}

/** @throws insufficient_memory with the numbers and possible remedies */
export function requireMemory(size: BuildSize, limitBytes: number): void {
  const needed = estimateBuildBytes(size);
  if (needed <= limitBytes * SAFE_SHARE) return;
  const vectors = `${sum(size.shardRows).toLocaleString('en-US')} vectors of ${size.dim}`;
  const message =
    `building ${vectors} needs about ${formatBytes(needed)} of memory, but may use only ${formatBytes(limitBytes)}; ` +
    `use a machine with more memory, fewer --threads with more --shards, or a smaller --m`;
  throw new ShortlistError('insufficient_memory', message, { needed_bytes: needed, available_bytes: limitBytes });
}

/** Serving maps a shard's vectors as one buffer; Node 20 limits it to 4 GiB. @throws unsupported, before the build */
export function requireMappable({ shardRows, dim, engine }: BuildSize, maxBytes = constants.MAX_LENGTH): void {
  if (engineOf(engine).mapping === null) return;
  const largest = Math.max(...shardRows) * dim * 4;
  if (largest <= maxBytes) return;
  const shards = Math.ceil((1.1 * sum(shardRows) * dim * 4) / maxBytes); // shards differ by some per cent
  const message =
    `a shard would have ${formatBytes(largest)} of vectors, and this release of Node maps at most ${formatBytes(maxBytes)}; ` +
    `use at least ${shards} --shards, or a later release of Node`;
  throw new ShortlistError('unsupported', message, { needed_bytes: largest, limit_bytes: maxBytes, shards });
}

/** @throws disk_full with the numbers */
export function requireDisk(needed: number, free: number, root: string): void {
  if (needed <= free) return;
  const message = `the version needs about ${formatBytes(needed)} on disk, but ${root} has only ${formatBytes(free)} free; free some space or use another --root`;
  throw new ShortlistError('disk_full', message, { file: root, needed_bytes: needed, available_bytes: free });
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
