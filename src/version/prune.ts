/**
 * Deletes old versions, and what crashes have left. Never touches a version that CURRENT or an alias names.
 *
 * A version is first renamed to a name that no reader looks at, which takes it away at once and whole; then its files go.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { ShortlistError } from '../base/errors.js';
import { surveyVersions } from './catalog.js';
import { changeIndex, type Change, type ChangeOptions } from './change.js';
import { attempt, listIfPresent, removeTree, statIfPresent, TEMPORARY_PREFIX } from './durable.js';
import type { FileSystem } from './files.js';
import { versionBytes } from './manifest.js';
import { aliasesPath, indexPath, notesPath, stagingPath, TRASH_PREFIX, versionPath } from './paths.js';
import { readAliasTable, readCurrentMove } from './state.js';

export interface PruneOptions extends ChangeOptions {
  /** How many of the newest versions stay, besides those that CURRENT and aliases name; from 1. */
  readonly keep: number;
}

/** All oldest first. */
export interface Pruned {
  readonly index: string;
  readonly deleted: readonly string[];
  readonly kept: readonly string[];
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
  return changeIndex(root, index, 'prune', options, async (change) => {
    const { versions, damaged } = await surveyVersions(root, index, change.files);
    const named = await namedVersions(change);
    const doomed = versions.slice(0, -keep).filter(({ version }) => !named.has(version));
    const deleted = doomed.map(({ version }) => version);
    for (const version of deleted) await change.commit(() => discard(change, version));
    await change.commit(() => cleanLeftovers(root, index, change.files));
    return {
      index,
      deleted,
      kept: versions.map(({ version }) => version).filter((version) => !deleted.includes(version)),
      damaged: damaged.map(({ version }) => version),
      bytes: doomed.reduce((sum, { manifest }) => sum + versionBytes(manifest), 0),
    };
  });
}

async function namedVersions({ root, index, files }: Change): Promise<Set<string>> {
  const current = await readCurrentMove(root, index, files);
  const aliased = Object.values(await readAliasTable(root, index, files));
  return new Set(current === null ? aliased : [current.version, ...aliased]);
}

/** Takes the version away at once; its files are deleted with the leftovers. */
async function discard({ root, index, files }: Change, version: string): Promise<void> {
  const trash = join(indexPath(root, index), `${TRASH_PREFIX}${version}-${randomUUID()}`);
  await files.rename(versionPath(root, index, version), trash);
  await files.syncDirectory(indexPath(root, index));
}

/** Deletes what earlier builds left in staging. The caller holds the build lock, so nobody is working there. */
export async function cleanStaging(root: string, index: string, files: FileSystem): Promise<void> {
  await removeTree(stagingPath(root, index), files);
  await emptyTrash(root, index, files);
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

async function emptyTrash(root: string, index: string, files: FileSystem): Promise<void> {
  const directory = indexPath(root, index);
  for (const { name } of await listIfPresent(directory, files)) {
    if (name.startsWith(TRASH_PREFIX)) await removeTree(join(directory, name), files);
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
