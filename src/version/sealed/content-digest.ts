import { createHash } from 'node:crypto';
import type { FileEntry } from './manifest.js';

/**
 * One digest of all that a version holds: SHA-256 (hex) of the lines `<sha256>  <name>\n` of its files, sorted by name.
 * `sha256sum * | sha256sum` prints the same in the directory without the manifest.
 */
export function contentDigest(files: readonly FileEntry[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file.sha256}  ${file.name}\n`);
  return hash.digest('hex');
}
