/**
 * Paths of everything in a root, which is a folder or the URL of an object store. Names from outside are checked by
 * `checkName` or `isVersionName` first.
 */
import { join } from 'node:path';
import { NAME_PATTERN } from '../../base/limits.js';
import { ShortlistError } from '../../base/errors.js';

export const MANIFEST_FILE = 'MANIFEST.json';

/** A file of one shard; `suffix` says what it holds: `vectors`, or an engine's, such as `hnsw`. */
export function shardFile(shard: number, suffix: string): string {
  return `shard-${String(shard).padStart(4, '0')}.${suffix}`;
}

/** Of a URL, `join` would drop a slash. */
export function joinPath(root: string, ...names: string[]): string {
  return root.includes('://') ? [root, ...names].join('/') : join(root, ...names);
}

export const indexPath = (root: string, index: string): string => joinPath(root, index);
export const versionPath = (root: string, index: string, version: string): string => joinPath(root, index, version);
export const currentPath = (root: string, index: string): string => joinPath(root, index, 'CURRENT');
export const historyPath = (root: string, index: string): string => joinPath(root, index, 'HISTORY');
export const refusalsPath = (root: string, index: string): string => joinPath(root, index, 'REFUSALS');
/** The limits of the gate, edited by people. */
export const gatePath = (root: string, index: string): string => joinPath(root, index, 'gate.json');
export const aliasesPath = (root: string, index: string): string => joinPath(root, index, 'aliases');
export const notesPath = (root: string, index: string): string => joinPath(root, index, 'notes');
export const locksPath = (root: string, index: string): string => joinPath(root, index, 'locks');
/** Builds that are not sealed yet. */
export const stagingPath = (root: string, index: string): string => joinPath(root, index, '.staging');
/** Parts of builds as array jobs. */
export const partsPath = (root: string, index: string): string => joinPath(root, index, '.parts');
/** Versions that are being pulled from an object store. */
export const pullsPath = (root: string, index: string): string => joinPath(root, index, '.pulls');
/** Prefix of versions that prune has taken away and not deleted yet. */
export const TRASH_PREFIX = '.trash-';

/** Refuses a text that cannot be the name of an index, an alias or a note, such as one with path separators. */
export function checkName(what: 'index' | 'alias' | 'note', name: string): void {
  if (NAME_PATTERN.test(name)) return;
  const rule = 'use up to 64 of a-z, 0-9, - and _, starting with a letter or digit';
  throw new ShortlistError('usage', `'${name}' cannot name an index, alias or note: ${rule}`, { [what]: name });
}
