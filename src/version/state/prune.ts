/**
 * Deletes old versions, and what crashes have left.
 *
 * It keeps the newest N published versions. Of versions that were never published it keeps the newest N that are newer
 * than the oldest of those, so that refused builds neither push published versions out nor stay for ever. It always
 * keeps what CURRENT names, the version before it (a server may still serve it), the targets of a rollback, and what an
 * alias names. Versions without a valid manifest are left to a person.
 *
 * A version is first renamed to a name that no reader looks at, which removes it atomically; then its files are
 * deleted. On a full disk the lock uses its reserve, and everything else here frees space.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import { surveyVersions, type VersionEntry } from './catalog.js';
import { changeIndex, type Change, type ChangeOptions } from './change.js';
import { attempt, listIfPresent, removeTree, statIfPresent, TEMPORARY_PREFIX } from '../disk/durable.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { withLock, type LockKind } from '../locks/lock.js';
import { versionBytes } from '../sealed/manifest.js';
import { aliasesPath, indexPath, notesPath, pullsPath, stagingPath, TRASH_PREFIX, versionPath } from '../disk/paths.js';
import { publishedStack } from './rollback-stack.js';
import { readAliases, readCurrent, readRecordedMoves, withCurrent, type Move } from './state.js';
import { readVersionStatuses, type VersionStatus } from './version-status.js';
import { cleanStaging, emptyTrash } from '../sealed/version-folders.js';
import { openVersionFiles } from '../sealed/version-reader.js';

interface PruneOptions extends ChangeOptions {
  /** How many published versions to keep, and how many that were never published; from 1. */
  readonly keep: number;
}

/** Why a version is kept, the strongest reason first. */
export type KeepReason = 'current' | 'alias' | 'rollback' | 'replaced' | 'published' | 'unpublished';

interface KeptVersion {
  readonly version: string;
  readonly reason: KeepReason;
}

/** All lists are oldest first. */
interface Pruned {
  readonly index: string;
  readonly deleted: readonly string[];
  readonly kept: readonly KeptVersion[];
  /** Named as versions, but without a valid manifest: left for a person to look at. */
  readonly damaged: readonly string[];
  /** Size of the deleted versions. */
  readonly bytes: number;
}

export async function prune(root: string, index: string, options: PruneOptions): Promise<Pruned> {
  const { keep } = options;
  if (!Number.isSafeInteger(keep) || keep < 1) {
    throw new ShortlistError('usage', `keep is ${keep}, but it is a number of versions, from 1`, { keep });
  }
  try {
    return await pruneLocked(root, index, options);
  } catch (error) {
    if (!(error instanceof ShortlistError) || error.code !== 'disk_full' || options.dryRun === true) throw error;
    // Not even the lock had space, and there is no reserve. Emptying the trash needs no lock.
    await emptyTrash(root, index, options.files ?? nodeFiles);
    return pruneLocked(root, index, options);
  }
}

function pruneLocked(root: string, index: string, options: PruneOptions): Promise<Pruned> {
  const { keep } = options;
  const lock = { ...options.lock, usesReserve: true };
  return changeIndex(root, index, 'prune', { ...options, lock }, async (change) => {
    const { versions, damaged } = await surveyVersions(root, index, change.files);
    const reasons = await findReasons(change, versions, keep);
    const discarded = versions.filter(({ version }) => !reasons.has(version));
    const deleted = discarded.map(({ version }) => version);
    await discardAll(change, deleted);
    await change.commit(() => cleanLeftovers(root, index, change.files));
    if (options.dryRun !== true) {
      await cleanAbandoned(change, 'build', stagingPath(root, index), () => cleanStaging(root, index, change.files));
      await cleanAbandoned(change, 'pull', pullsPath(root, index));
    }
    return {
      index,
      deleted,
      kept: versions.flatMap(({ version }) => {
        const reason = reasons.get(version);
        return reason === undefined ? [] : [{ version, reason }];
      }),
      damaged: damaged.map(({ version }) => version),
      bytes: discarded.reduce((sum, { manifest }) => sum + versionBytes(manifest), 0),
    };
  });
}

/** The versions to keep, each with the strongest reason. */
async function findReasons(
  change: Change,
  versions: readonly VersionEntry[],
  keep: number,
): Promise<Map<string, KeepReason>> {
  const { root, index, files } = change;
  const current = await readCurrent(root, index, files);
  const moves = withCurrent(await readRecordedMoves(root, index, files), current);
  const names = versions.map(({ version }) => version);
  const reasons = new Map<string, KeepReason>();
  const add = (reason: KeepReason, kept: readonly (string | null | undefined)[]): void => {
    for (const version of kept) if (version && !reasons.has(version)) reasons.set(version, reason);
  };
  add('current', [current?.version]);
  add('alias', Object.values(await readAliases(root, index, files)));
  add('rollback', await rollbackTargets(change, names, moves, current?.version ?? null));
  add('replaced', [current?.previous]);
  const statuses = await readVersionStatuses(root, index, names, { current: current?.version ?? null, moves }, files);
  const isPublished = ({ status }: VersionStatus): boolean => status === 'current' || status === 'published';
  const published = statuses.filter(isPublished).sort((a, b) => a.lastMove - b.lastMove);
  const newest = published.slice(-keep).map(({ version }) => version);
  add('published', newest);
  const unpublished = statuses.filter((status) => !isPublished(status)).map(({ version }) => version);
  const oldest = newest.reduce((min, version) => (version < min ? version : min), newest[0] ?? '');
  add('unpublished', unpublished.filter((version) => version > oldest).slice(-keep));
  return reasons;
}

/**
 * The versions that a rollback may go to: the newest one that was published before and has all its files. A rollback
 * skips one whose file is missing or has another size, so that one is kept together with the version below it.
 */
async function rollbackTargets(
  { root, index, files }: Change,
  names: readonly string[],
  moves: readonly Move[],
  current: string | null,
): Promise<string[]> {
  const targets: string[] = [];
  for (const version of publishedStack(moves).reverse()) {
    if (version === current || !names.includes(version)) continue;
    targets.push(version);
    const isWhole = await openVersionFiles(root, index, version, { hash: false, files }).then(
      () => true,
      (error: unknown) => {
        if (error instanceof ShortlistError) return false;
        throw error;
      },
    );
    if (isWhole) break;
  }
  return targets;
}

/** Deletes these versions with their notes, whatever names them. */
export function deleteVersions(
  root: string,
  index: string,
  versions: readonly string[],
  options: ChangeOptions = {},
): Promise<void> {
  return changeIndex(root, index, 'prune', options, async (change) => {
    await discardAll(change, versions);
    await change.commit(() => cleanLeftovers(root, index, change.files));
  });
}

/** @throws interrupted, naming the versions that are deleted */
async function discardAll(change: Change, versions: readonly string[]): Promise<void> {
  for (const [position, version] of versions.entries()) {
    if (change.signal?.aborted === true) {
      const deleted = versions.slice(0, position);
      const message = `prune was interrupted after it deleted ${deleted.join(', ') || 'nothing'}; run it again to delete the rest`;
      throw new ShortlistError('interrupted', message, { deleted }, { cause: change.signal.reason });
    }
    await change.commit(() => discard(change, version));
  }
}

/** What a killed build or pull has left takes as much space as a version. While one is running, it is not touched. */
async function cleanAbandoned(
  { root, index, files, signal }: Change,
  kind: LockKind,
  folder: string,
  clean: () => Promise<void> = () => removeTree(folder, files),
): Promise<void> {
  if ((await statIfPresent(folder, files)) === null) return;
  try {
    await withLock(root, index, kind, `shortlist prune ${index}`, clean, { files, signal, usesReserve: true });
  } catch (error) {
    if (!(error instanceof ShortlistError) || error.code !== 'index_busy') throw error;
  }
}

/** Moves the version to the trash; its files are deleted with the leftovers. */
async function discard({ root, index, files }: Change, version: string): Promise<void> {
  const trash = join(indexPath(root, index), `${TRASH_PREFIX}${version}-${randomUUID()}`);
  await files.rename(versionPath(root, index, version), trash);
  await files.syncDirectory(indexPath(root, index));
}

/** A day: no write of a note takes longer, whatever the clocks of two machines say. */
const ABANDONED_MS = 24 * 3600 * 1000;

/** The caller holds the publish lock, so temporary files beside CURRENT and in aliases/ have no live writer. */
async function cleanLeftovers(root: string, index: string, files: FileSystem): Promise<void> {
  await emptyTrash(root, index, files);
  await removeTemporaries(indexPath(root, index), 0, files);
  await removeTemporaries(aliasesPath(root, index), 0, files);
  for (const { name } of await listIfPresent(notesPath(root, index), files)) {
    const notes = join(notesPath(root, index), name);
    const version = await statIfPresent(versionPath(root, index, name), files);
    if (version === null) await removeTree(notes, files);
    else await removeTemporaries(notes, ABANDONED_MS, files);
  }
}

async function removeTemporaries(directory: string, olderMs: number, files: FileSystem): Promise<void> {
  for (const { name } of await listIfPresent(directory, files)) {
    if (!name.startsWith(TEMPORARY_PREFIX)) continue;
    const path = join(directory, name);
    const stat = await statIfPresent(path, files);
    if (stat !== null && Date.now() - stat.mtimeMs >= olderMs) await attempt(removeTree(path, files));
  }
}
