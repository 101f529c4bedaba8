/**
 * Checks, from manifests alone, whether a version fits into memory besides those that workers hold. A worker killed for
 * lack of memory would take all its indexes down.
 */
import { ShortlistError } from '../../base/errors.js';
import { engineOf } from '../../engine/engines.js';
import { engineSettings } from '../../retrieve/load/shards.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import { shardsOf } from '../../version/sealed/shard-files.js';
import { estimateResidentBytes } from '../../version/sealed/version-reader.js';

/** Node, code and caches of a worker. */
const WORKER_BASE_BYTES = 96 * 1024 * 1024;

interface Budget {
  readonly workers: number;
  readonly memoryLimit: number;
  /** Numbers of the shards that are held; empty: all. */
  readonly shards: readonly number[];
}

/**
 * @param manifests all versions that a worker would hold at once, including the new one
 * @throws insufficient_memory
 */
export function checkMemory(
  { workers, memoryLimit, shards }: Budget,
  { index, version }: Manifest,
  manifests: Iterable<Manifest>,
) {
  const sizes = Array.from(manifests, (manifest) => versionMemory(manifest, shards));
  const needed = workers * sizes.reduce((sum, bytes) => sum + bytes, WORKER_BASE_BYTES);
  if (needed <= memoryLimit) return;
  const message =
    `${index}@${version} does not fit: ${workers} workers with ${sizes.length} versions each need about ` +
    `${mebibytes(needed)} of ${mebibytes(memoryLimit)}; use fewer --workers, or a larger --memory-limit if the machine has it`;
  const details = { index, version, needed_bytes: needed, limit_bytes: memoryLimit };
  throw new ShortlistError('insufficient_memory', message, details);
}

/** Memory of one version in one worker: its files, and what the engine needs beyond the bytes of its graph. */
export function versionMemory(manifest: Manifest, shards: readonly number[]): number {
  const held = shardsOf(manifest, shards);
  if (held === undefined || manifest.count === 0) return wholeMemory(manifest);
  const rows = held.reduce((sum, shard) => sum + manifest.shards[shard]!.count, 0);
  return (wholeMemory(manifest) * rows) / manifest.count; // a hash spreads rows evenly, long and short ones alike
}

function wholeMemory(manifest: Manifest): number {
  const { name, parameters } = engineSettings(manifest);
  const { total, graphs } = estimateResidentBytes(manifest);
  const engineBytes = manifest.shards
    .filter(({ count }) => count > 0)
    .reduce((sum, { count }) => sum + engineOf(name).estimateBytes(count, manifest.dim, parameters.m), 0);
  return total - graphs + Math.max(graphs, engineBytes);
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
