/**
 * Finds indexes, versions and what is known about them. Takes a root and names; returns names, manifests and documents.
 * An unknown name is an error that lists the existing names.
 *
 * A directory is a version if it has the name of one and a valid manifest; staging and damaged directories are not.
 */
import { ShortlistError } from '../../base/errors.js';
import { NAME_PATTERN } from '../../base/limits.js';
import { didYouMean } from '../../base/nearest-name.js';
import { listIfPresent, statIfPresent } from '../disk/durable.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { type Manifest } from '../sealed/manifest.js';
import { findManifest, refuseMissingManifest } from '../sealed/manifest-file.js';
import { checkName, currentPath, joinPath, MANIFEST_FILE, versionPath } from '../disk/paths.js';
import { readAlias, readCurrent, surveyAliases } from './state.js';
import { listVersionNames } from '../sealed/version-folders.js';
import { isVersionName } from '../sealed/version-name.js';

export { readAliases, readCurrent, readHistory, surveyAliases, type AliasSurvey, type Move } from './state.js';
export { notesDirectory, readBinaryNote, readNote, writeBinaryNote, writeNote } from './notes.js';

export interface VersionEntry {
  readonly version: string;
  readonly manifest: Manifest;
}

/** A directory with the name of a version, but without a valid manifest. */
interface DamagedVersion {
  readonly version: string;
  readonly error: ShortlistError;
}

/** Names of the indexes of a root that have or had a version, sorted; none if there is no root. */
export async function listIndexes(root: string, files: FileSystem = nodeFiles): Promise<string[]> {
  const names = (await listIfPresent(root, files))
    .filter(({ name, kind }) => kind !== 'file' && NAME_PATTERN.test(name))
    .map(({ name }) => name);
  const kept = await Promise.all(names.map((name) => isIndex(root, name, files)));
  return names.filter((_, position) => kept[position]!);
}

/** Versions with valid manifests, oldest first. Their files are not checked. */
export async function listVersions(
  root: string,
  index: string,
  files: FileSystem = nodeFiles,
): Promise<VersionEntry[]> {
  return (await surveyVersions(root, index, files)).versions;
}

/** Versions, and directories that would be versions if their manifests were valid. */
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
 * The version that `ref` names: a version, an alias, or the published one for `current` or no `ref`. Its files are not
 * checked.
 * @throws index_not_found, version_not_found, file_missing, state_corrupt; usage for a text that cannot be a name
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
  const current = await readCurrent(root, index, files);
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
  const manifest = joinPath(versionPath(root, index, version), MANIFEST_FILE);
  if ((await statIfPresent(manifest, files)) !== null) return version;
  await refuseMissingManifest(root, index, version, files);
  throw await unknownRef(root, index, version, problem, files);
}

/** @throws index_not_found; usage for a text that cannot be a name */
export async function requireIndex(root: string, index: string, files: FileSystem): Promise<void> {
  checkName('index', index);
  if (await isIndex(root, index, files)) return;
  const known = await listIndexes(root, files);
  const message = `there is no index '${index}' in ${root}; ${listNames('it has', known, index)}`;
  throw new ShortlistError('index_not_found', message, { index, root, known: known.slice(0, SHOWN_NAMES) });
}

async function isIndex(root: string, name: string, files: FileSystem): Promise<boolean> {
  if ((await statIfPresent(currentPath(root, name), files)) !== null) return true;
  for (const version of await listVersionNames(root, name, files)) {
    const manifest = joinPath(versionPath(root, name, version), MANIFEST_FILE);
    if ((await statIfPresent(manifest, files)) !== null) return true;
  }
  return false;
}

/** Names listed in a message before it counts the rest. */
const SHOWN_NAMES = 10;

async function unknownRef(
  root: string,
  index: string,
  ref: string,
  problem: string,
  files: FileSystem,
): Promise<ShortlistError> {
  const aliases = Object.keys((await surveyAliases(root, index, files)).aliases);
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
