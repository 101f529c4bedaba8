import { callAddon, loadAddon } from './addon.js';

/**
 * The float32 values of a file from byte `offset` on, mapped instead of read: opening costs nothing, and every process
 * shares one copy through the page cache. @throws file_missing, file_corrupt where the file ends before them
 */
export function mapVectors(path: string, offset: number, length: number): Float32Array {
  const buffer = callAddon('map', path, () => loadAddon().map(path, offset, 4 * length));
  return new Float32Array(buffer, 0, length);
}
