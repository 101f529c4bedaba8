/**
 * Deletes old versions, and what crashes have left.
 *
 * What stays: the newest N of the versions that were published; of those that never were the newest N too, as far as
 * they are newer than the oldest of the published N, so that nights which the gate refused push nothing out and age
 * with the rest; and, whatever the numbers, what CURRENT names, what it replaced (a server may serve it still), what
 * a rollback would go to, and what an alias names. Versions whose manifests do not hold are left to a person.
 *
 * A version is first renamed to a name that no reader looks at, which takes it away at once and whole; then its files
 * go. On a full disk the lock takes its reserve, and all else here makes room.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import { surveyVersions, type VersionEntry } from './catalog.js';
import { changeIndex, type Change, type ChangeOptions } from './change.js';
import { attempt, listIfPresent, removeTree, statIfPresent, TEMPORARY_PREFIX } from '../disk/durable.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { withLock } from '../locks/lock.js';
import { versionBytes } from '../sealed/manifest.js';
import { aliasesPath, indexPath, notesPath, stagingPath, TRASH_PREFIX, versionPath } from '../disk/paths.js';
import { publishedStack } from './rollback-stack.js';
import { readStandings, type VersionStanding } from './standing.js';
import { readAliasTable, readCurrentMove, readRecordedMoves, withCurrent, type Move } from './state.js';
import { cleanStaging, emptyTrash } from '../sealed/version-folders.js';
import { openVersionFiles } from '../sealed/version-reader.js';

interface PruneOptions extends ChangeOptions {
  /** How many published versions stay, and how many that never were; from 1. */
  readonly keep: number;
}

/** Why a version stays, the strongest reason first. */
export type KeepReason = 'current' | 'alias' | 'rollback' | 'replaced' | 'published' | 'unpublished';

interface KeptVersion {
  readonly version: string;
  readonly reason: KeepReason;
}

/** All oldest first. */
interface Pruned {
  readonly index: string;
  readonly deleted: readonly string[];
  readonly kept: readonly KeptVersion[];
  /** Named as versions, but their manifests do not hold: left for a person to look at. */
  readonly damaged: readonly string[];
  /** Of the versions deleted. */
  readonly bytes: number;
}

export async function prune(root: string, index: string, options: PruneOptions): Promise<Pruned> {
  const { keep } = options;
  if (!Number.isSafeInteger(keep) || keep < 1) {
    throw new ShortlistError('usage', `keep is ${keep}; it is how many versions stay, from 1`, { keep });
  }
  try {
    return await pruneLocked(root, index, options);
  } catch (error) {
    if (!(error instanceof ShortlistError) || error.code !== 'disk_full' || options.dryRun === true) throw error;
    // Not even the lock found room, and no reserve. What was taken away earlier needs no lock to go.
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
    const doomed = versions.filter(({ version }) => !reasons.has(version));
    await discardAll(change, doomed.map(({ version }) => version)); // prettier-ignore
    await change.commit(() => cleanLeftovers(root, index, change.files));
    if (options.dryRun !== true) await cleanAbandonedStaging(change);
    return {
      index,
      deleted: doomed.map(({ version }) => version),
      kept: versions.flatMap(({ version }) => {
        const reason = reasons.get(version);
        return reason === undefined ? [] : [{ version, reason }];
      }),
      damaged: damaged.map(({ version }) => version),
      bytes: doomed.reduce((sum, { manifest }) => sum + versionBytes(manifest), 0),
    };
  });
}

/** Why each version that stays does. */
async function findReasons(
  change: Change,
  versions: readonly VersionEntry[],
  keep: number,
): Promise<Map<string, KeepReason>> {
  const { root, index, files } = change;
  const current = await readCurrentMove(root, index, files);
  const moves = withCurrent(await readRecordedMoves(root, index, files), current);
  const names = versions.map(({ version }) => version);
  const reasons = new Map<string, KeepReason>();
  const add = (reason: KeepReason, kept: readonly (string | null | undefined)[]): void => {
    for (const version of kept) if (version && !reasons.has(version)) reasons.set(version, reason);
  };
  add('current', [current?.version]);
  add('alias', Object.values(await readAliasTable(root, index, files)));
  add('rollback', await rollbackTargets(change, names, moves, current?.version ?? null));
  add('replaced', [current?.previous]);
  const standings = await readStandings(root, index, names, { current: current?.version ?? null, moves }, files);
  const isPublished = ({ standing }: VersionStanding): boolean => standing === 'current' || standing === 'published';
  const published = standings.filter(isPublished).sort((a, b) => a.lastMove - b.lastMove);
  const newest = published.slice(-keep).map(({ version }) => version);
  add('published', newest);
  const unpublished = standings.filter((standing) => !isPublished(standing)).map(({ version }) => version);
  const oldest = newest.reduce((least, version) => (version < least ? version : least), newest[0] ?? '');
  add('unpublished', unpublished.filter((version) => version > oldest).slice(-keep));
  return reasons;
}

/**
 * Where a rollback would go: the newest of those published before whose files are all there. One that lacks a file or
 * has another size is passed over by a rollback, so the one below it stays too.
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

/** @throws interrupted naming what is deleted */
async function discardAll(change: Change, doomed: readonly string[]): Promise<void> {
  for (const [position, version] of doomed.entries()) {
    if (change.signal?.aborted === true) {
      const deleted = doomed.slice(0, position);
      const message = `prune was interrupted; deleted are ${deleted.join(', ') || 'none'}, and run again it deletes the rest`;
      throw new ShortlistError('interrupted', message, { deleted }, { cause: change.signal.reason });
    }
    await change.commit(() => discard(change, version));
  }
}

/** What a killed build has left takes as much room as a version. Where one is under way, it is not touched. */
async function cleanAbandonedStaging({ root, index, files, signal }: Change): Promise<void> {
  if ((await statIfPresent(stagingPath(root, index), files)) === null) return;
  const clean = (): Promise<void> => cleanStaging(root, index, files);
  try {
    await withLock(root, index, 'build', `shortlist prune ${index}`, clean, { files, signal, usesReserve: true });
  } catch (error) {
    if (!(error instanceof ShortlistError) || error.code !== 'index_busy') throw error;
  }
}

/** Takes the version away at once; its files are deleted with the leftovers. */
async function discard({ root, index, files }: Change, version: string): Promise<void> {
  const trash = join(indexPath(root, index), `${TRASH_PREFIX}${version}-${randomUUID()}`);
  await files.rename(versionPath(root, index, version), trash);
  await files.syncDirectory(indexPath(root, index));
}

/** A day: longer than any write of a note takes, whatever the clocks of two machines say. */
const ABANDONED_MS = 24 * 3600 * 1000;

/** The caller holds the publish lock, so temporary files beside CURRENT and in aliases/ have no writer that lives. */
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
