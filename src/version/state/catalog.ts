/**
 * Finds indexes, versions and what is known of them. Takes a root and names; gives names, manifests and documents;
 * changes nothing but notes. An unknown name is an error that lists the names there are.
 *
 * A directory is a version when it is named as one and has a manifest that holds; staging directories and ruins are
 * not.
 */
import { join } from 'node:path';
import { ShortlistError } from '../../base/errors.js';
import { NAME_PATTERN } from '../../base/limits.js';
import { didYouMean } from '../../base/nearest-name.js';
import { listIfPresent, statIfPresent } from '../disk/durable.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { type Manifest } from '../sealed/manifest.js';
import { findManifest, refuseRuin } from '../sealed/manifest-file.js';
import { checkName, currentPath, MANIFEST_FILE, versionPath } from '../disk/paths.js';
import { readAlias, readAliasTable, readCurrentMove, readMoves, surveyAliasTable, type AliasSurvey, type Move } from './state.js'; // prettier-ignore
import { listVersionNames } from '../sealed/version-folders.js';
import { isVersionName } from '../sealed/version-name.js';

export type { AliasSurvey, Move } from './state.js';
export { notesDirectory, readBinaryNote, readNote, writeBinaryNote, writeNote } from './notes.js';

export interface VersionEntry {
  readonly version: string;
  readonly manifest: Manifest;
}

/** A directory that is named as a version and whose manifest does not hold. */
interface DamagedVersion {
  readonly version: string;
  readonly error: ShortlistError;
}

/** Names of the indexes of a root that have a version or have published one, sorted; none where there is no root. */
export async function listIndexes(root: string, files: FileSystem = nodeFiles): Promise<string[]> {
  const names = (await listIfPresent(root, files))
    .filter(({ name, kind }) => kind !== 'file' && NAME_PATTERN.test(name))
    .map(({ name }) => name);
  const kept = await Promise.all(names.map((name) => isIndex(root, name, files)));
  return names.filter((_, position) => kept[position]!);
}

/** Versions whose manifests hold, oldest first. Their files are not looked at. */
export async function listVersions(
  root: string,
  index: string,
  files: FileSystem = nodeFiles,
): Promise<VersionEntry[]> {
  return (await surveyVersions(root, index, files)).versions;
}

/** Versions, and directories that would be versions if their manifests held. */
export async function surveyVersions(
  root: string,
  index: string,
  files: FileSystem = nodeFiles,
): Promise<{ versions: VersionEntry[]; damaged: DamagedVersion[] }> {
  await requireIndex(root, index, files);
  const versions: VersionEntry[] = [];
  const damaged: DamagedVersion[] = [];
  for (const version of await listVersionNames(root, index, files)) {
    try {
      const manifest = await findManifest(root, index, version, files);
      if (manifest !== null) versions.push({ version, manifest });
    } catch (error) {
      if (!(error instanceof ShortlistError)) throw error;
      damaged.push({ version, error });
    }
  }
  return { versions, damaged };
}

/**
 * The version that `ref` names: a version, an alias, or `current` and without it the published one. Its files are not
 * looked at.
 * @throws index_not_found, version_not_found, file_missing, state_corrupt; usage for a text that can be no name
 */
export async function resolveVersion(
  root: string,
  index: string,
  ref?: string,
  files: FileSystem = nodeFiles,
): Promise<string> {
  await requireIndex(root, index, files);
  if (ref === undefined || ref === 'current') return resolveCurrent(root, index, files);
  if (isVersionName(ref)) return requireVersion(root, index, ref, `index '${index}' has no version '${ref}'`, files);
  checkName('alias', ref);
  const version = await readAlias(root, index, ref, files);
  if (version === null) throw await unknownRef(root, index, ref, `index '${index}' has no alias '${ref}'`, files);
  return requireVersion(root, index, version, `alias '${ref}' names ${version}, which does not exist`, files);
}

async function resolveCurrent(root: string, index: string, files: FileSystem): Promise<string> {
  const current = await readCurrentMove(root, index, files);
  if (current === null) {
    const message = `index '${index}' has no published version; publish one: shortlist publish ${index}@VERSION`;
    throw new ShortlistError('version_not_found', message, { index });
  }
  const { version } = current;
  return requireVersion(root, index, version, `${version} is published and does not exist`, files);
}

async function requireVersion(
  root: string,
  index: string,
  version: string,
  problem: string,
  files: FileSystem,
): Promise<string> {
  const manifest = join(versionPath(root, index, version), MANIFEST_FILE);
  if ((await statIfPresent(manifest, files)) !== null) return version;
  await refuseRuin(root, index, version, files);
  throw await unknownRef(root, index, version, problem, files);
}

/** Fails with `usage` for a text that can be no name and with `index_not_found` where there is no such index. */
export async function requireIndex(root: string, index: string, files: FileSystem): Promise<void> {
  checkName('index', index);
  if (await isIndex(root, index, files)) return;
  const known = await listIndexes(root, files);
  const message = `there is no index '${index}' in ${root}; ${listNames('it has', known, index)}`;
  throw new ShortlistError('index_not_found', message, { index, root, known: known.slice(0, SHOWN_NAMES) });
}

/** What is published and how it came to be; null where nothing is. */
export async function readCurrent(root: string, index: string, files: FileSystem = nodeFiles): Promise<Move | null> {
  checkName('index', index);
  return readCurrentMove(root, index, files);
}

/** Every publish and rollback that is still recorded, oldest first. */
export async function readHistory(
  root: string,
  index: string,
  files: FileSystem = nodeFiles,
): Promise<readonly Move[]> {
  checkName('index', index);
  return readMoves(root, index, files);
}

/** Versions by the aliases that name them. @throws state_corrupt where one of them is damaged */
export async function readAliases(
  root: string,
  index: string,
  files: FileSystem = nodeFiles,
): Promise<Readonly<Record<string, string>>> {
  checkName('index', index);
  return readAliasTable(root, index, files);
}

/** As `readAliases`, with damage told beside what is sound. */
export async function surveyAliases(root: string, index: string, files: FileSystem = nodeFiles): Promise<AliasSurvey> {
  checkName('index', index);
  return surveyAliasTable(root, index, files);
}

async function isIndex(root: string, name: string, files: FileSystem): Promise<boolean> {
  if ((await statIfPresent(currentPath(root, name), files)) !== null) return true;
  for (const version of await listVersionNames(root, name, files)) {
    const manifest = join(versionPath(root, name, version), MANIFEST_FILE);
    if ((await statIfPresent(manifest, files)) !== null) return true;
  }
  return false;
}

/** Names that a message lists before it says how many more there are. */
const SHOWN_NAMES = 10;

async function unknownRef(
  root: string,
  index: string,
  ref: string,
  problem: string,
  files: FileSystem,
): Promise<ShortlistError> {
  const aliases = Object.keys((await surveyAliasTable(root, index, files)).aliases);
  const versions = (await listVersionNames(root, index, files)).reverse();
  const known = [...aliases, ...versions];
  const message = `${problem}; ${listNames('there are', known, ref)}`;
  return new ShortlistError('version_not_found', message, { index, ref, known: known.slice(0, SHOWN_NAMES) });
}

function listNames(verb: string, known: readonly string[], wanted: string): string {
  if (known.length === 0) return `${verb} none`;
  const more = known.length > SHOWN_NAMES ? ` and ${known.length - SHOWN_NAMES} more` : '';
  return `${verb} ${known.slice(0, SHOWN_NAMES).join(', ')}${more}${didYouMean(wanted, known)}`;
}
