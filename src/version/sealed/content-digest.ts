import { createHash } from 'node:crypto';
import type { FileEntry } from './manifest.js';

/**
 * What the version holds, in one digest: SHA-256 of the lines `<sha256>  <name>\n` of its files sorted by name, which
 * is what `sha256sum * | sha256sum` prints in the directory without the manifest. Hex.
 */
export function contentDigest(files: readonly FileEntry[]): string {
  const hash = createHash('sha256');
  for (const file of files) hash.update(`${file.sha256}  ${file.name}\n`);
  return hash.digest('hex');
}
