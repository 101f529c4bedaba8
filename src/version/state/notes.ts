/**
 * Notes: facts about a version that are measured, not built (gate verdict, calibration, cached truth). They are beside
 * the versions, since a version never changes; prune deletes them with their version. Each note is replaced atomically,
 * so writers need no lock: the last one wins.
 */
import { ShortlistError } from '../../base/errors.js';
import { ensureDirectory, readSmallFile, replaceFile } from '../disk/durable.js';
import type { Fields } from '../disk/fields.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { checkName, joinPath, notesPath } from '../disk/paths.js';
import { readSealed, writeSealed } from '../disk/sealed-json.js';
import { isVersionName } from '../sealed/version-name.js';

/** A calibration of 10,000 points takes 1 MB; a larger file is not a note. */
export const MAX_NOTE_BYTES = 16 * 2 ** 20;

/** The folder of a version's notes. It exists once there is a note. */
export function notesDirectory(root: string, index: string, version: string): string {
  checkName('index', index);
  if (!isVersionName(version))
    throw new ShortlistError('usage', `'${version}' is not the name of a version`, { version });
  return joinPath(notesPath(root, index), version);
}

/** The members of the note `<name>.json` without its digest; null if there is none. */
export async function readNote(
  root: string,
  index: string,
  version: string,
  name: string,
  files: FileSystem = nodeFiles,
): Promise<Readonly<Record<string, unknown>> | null> {
  return readCheckedNote(root, index, version, name, (fields) => fields.all(), files);
}

/** As `readNote`, with a check that gives the members their types. @throws state_corrupt, naming the wrong member */
export async function readCheckedNote<T>(
  root: string,
  index: string,
  version: string,
  name: string,
  check: (fields: Fields) => T,
  files: FileSystem = nodeFiles,
): Promise<T | null> {
  const path = notePath(root, index, version, name, 'json');
  const remedy = 'remove it and measure again';
  return readSealed({ path, code: 'state_corrupt', maxBytes: MAX_NOTE_BYTES, remedy, check }, files);
}

/** @param document JSON-safe; a member `digest` is replaced */
export async function writeNote(
  root: string,
  index: string,
  version: string,
  name: string,
  document: object,
  files: FileSystem = nodeFiles,
): Promise<void> {
  const path = notePath(root, index, version, name, 'json');
  await ensureDirectory(notesDirectory(root, index, version), files);
  await writeSealed(path, document, files);
}

/** The bytes of the note `<name>.bin`; null if there is none. The caller defines their format and checks them. */
export async function readBinaryNote(
  root: string,
  index: string,
  version: string,
  name: string,
  maxBytes: number,
  files: FileSystem = nodeFiles,
): Promise<Uint8Array | null> {
  return readSmallFile(notePath(root, index, version, name, 'bin'), maxBytes, files);
}

export async function writeBinaryNote(
  root: string,
  index: string,
  version: string,
  name: string,
  bytes: Uint8Array,
  files: FileSystem = nodeFiles,
): Promise<void> {
  const path = notePath(root, index, version, name, 'bin');
  await ensureDirectory(notesDirectory(root, index, version), files);
  await replaceFile(path, bytes, files);
}

export function notePath(
  root: string,
  index: string,
  version: string,
  name: string,
  extension: 'json' | 'bin',
): string {
  checkName('note', name);
  return joinPath(notesDirectory(root, index, version), `${name}.${extension}`);
}
