/**
 * Reads MANIFEST.json. Takes the name of a version; returns a Manifest whose fields were checked, each alone and
 * against the others (manifest-check.ts).
 */
import { ShortlistError } from '../../base/errors.js';
import { statIfPresent } from '../disk/durable.js';
import type { Fields } from '../disk/fields.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { joinPath, MANIFEST_FILE, versionPath } from '../disk/paths.js';
import { readSealed } from '../disk/sealed-json.js';
import { MANIFEST_FORMATS, type Manifest } from './manifest.js';
import { checkManifest } from './manifest-check.js';
import { isVersionName } from './version-name.js';

/** 100,000 source files at 250 bytes each take 25 MB; a larger file is not a manifest. */
export const MAX_MANIFEST_BYTES = 64 * 2 ** 20;

/**
 * The checked manifest of a version.
 * @throws version_not_found, file_missing if its directory has no manifest, manifest_corrupt, format_unsupported
 */
export async function readManifest(
  root: string,
  index: string,
  version: string,
  files: FileSystem = nodeFiles,
): Promise<Manifest> {
  const manifest = isVersionName(version) ? await findManifest(root, index, version, files) : null;
  if (manifest !== null) return manifest;
  await refuseMissingManifest(root, index, version, files);
  const message = `index '${index}' has no version '${version}'; see shortlist list ${index}`;
  throw new ShortlistError('version_not_found', message, { index, version });
}

/** @throws file_missing if the version's directory exists without a manifest: somebody has removed it */
export async function refuseMissingManifest(
  root: string,
  index: string,
  version: string,
  files: FileSystem,
): Promise<void> {
  const directory = isVersionName(version) ? versionPath(root, index, version) : null;
  if (directory === null || (await statIfPresent(directory, files)) === null) return;
  const path = joinPath(directory, MANIFEST_FILE);
  const message = `${path} is missing, and without it the directory is not a version; restore the file or build the version again`;
  throw new ShortlistError('file_missing', message, { file: path, index, version });
}

/** As `readManifest`, but null if there is no manifest. */
export async function findManifest(
  root: string,
  index: string,
  version: string,
  files: FileSystem,
): Promise<Manifest | null> {
  const path = joinPath(versionPath(root, index, version), MANIFEST_FILE);
  const check = (fields: Fields): Manifest => {
    checkFormat(fields, path);
    const manifest = checkManifest(fields);
    if (manifest.index !== index) fields.fail('index', `is not '${index}', the index whose directory holds it`);
    if (manifest.version !== version) fields.fail('version', `is not '${version}', the name of its directory`);
    return manifest;
  };
  const remedy = 'restore it or build the version again';
  return readSealed({ path, code: 'manifest_corrupt', maxBytes: MAX_MANIFEST_BYTES, remedy, check }, files);
}

function checkFormat(fields: Fields, path: string): void {
  const format = fields.integer('format', 1);
  if (MANIFEST_FORMATS.some((known) => known === format)) return;
  const message = `${path} has format ${format}, and this release reads the formats ${MANIFEST_FORMATS.join(' and ')}: use the release that wrote it or build the version again`;
  throw new ShortlistError('format_unsupported', message, { file: path, format, supported: MANIFEST_FORMATS });
}
