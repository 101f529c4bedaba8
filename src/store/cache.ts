/**
 * Keeps the versions that were pulled into a root within a size. The oldest go first. Never those that CURRENT, the one
 * before it, a rollback or an alias may need, nor those in use, nor those that were built here: for these the limit
 * does not hold.
 */
import { nodeFiles } from '../version/disk/files.js';
import { versionBytes } from '../version/sealed/manifest.js';
import { listIndexes, listVersions, readAliases, readCurrent, readHistory } from '../version/state/catalog.js';
import { unlessDamaged } from '../version/state/publish.js';
import { deleteVersions } from '../version/state/prune.js';
import { publishedStack } from '../version/state/rollback-stack.js';
import { wasPulled } from './pull.js';

interface CachedVersion {
  readonly index: string;
  readonly version: string;
  readonly bytes: number;
  readonly isNeeded: boolean;
}

interface CacheOptions {
  /** Bytes of all versions in the root together. */
  readonly limitBytes: number;
  /** Size of a version that is about to come. */
  readonly incomingBytes: number;
  readonly isInUse: (index: string, version: string) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** @returns what was deleted */
export async function makeRoom(
  root: string,
  { limitBytes, incomingBytes, isInUse, signal }: CacheOptions,
): Promise<readonly CachedVersion[]> {
  const cached: CachedVersion[] = [];
  for (const index of await listIndexes(root)) cached.push(...(await surveyIndex(root, index, isInUse)));
  let size = incomingBytes + cached.reduce((sum, { bytes }) => sum + bytes, 0);
  const discarded: CachedVersion[] = [];
  // Names of versions begin with their times.
  for (const entry of cached.filter(({ isNeeded }) => !isNeeded).sort((a, b) => (a.version < b.version ? -1 : 1))) {
    if (size <= limitBytes) break;
    await deleteVersions(root, entry.index, [entry.version], { signal });
    discarded.push(entry);
    size -= entry.bytes;
  }
  return discarded;
}

async function surveyIndex(root: string, index: string, isInUse: CacheOptions['isInUse']): Promise<CachedVersion[]> {
  const named = await namedVersions(root, index);
  const cached: CachedVersion[] = [];
  for (const { version, manifest } of await listVersions(root, index)) {
    const isKept = named === null || named.has(version) || isInUse(index, version);
    const isNeeded = isKept || !(await wasPulled(root, manifest, nodeFiles));
    cached.push({ index, version, bytes: versionBytes(manifest), isNeeded });
  }
  return cached;
}

/** Versions that CURRENT, the next rollback and aliases name. Null if one of these is damaged: any may be named. */
async function namedVersions(root: string, index: string): Promise<ReadonlySet<string | null | undefined> | null> {
  try {
    const current = await readCurrent(root, index);
    const stack = publishedStack(await readHistory(root, index));
    const aliases = await readAliases(root, index);
    return new Set([current?.version, current?.previous, stack.at(-2), ...Object.values(aliases)]);
  } catch (error) {
    unlessDamaged(error);
    return null;
  }
}
