import { callAddon, loadAddon } from './addon.js';

/**
 * The float32 values of a file from byte `offset` on, mapped and not read: opening is instant, and all processes
 * share one copy in the page cache. JavaScript has no read-only typed array, so the mapping is copy-on-write: a
 * write changes neither the file nor another process, but it changes what this process computes.
 * @throws file_missing; file_corrupt if the file ends before the values
 */
export function mapVectors(path: string, offset: number, length: number): Float32Array {
  return new Float32Array(mapBuffer(path, offset, 4 * length), 0, length);
}

/**
 * The bytes of a file from `offset` on, in the same way. @throws file_missing; file_corrupt if the file ends before
 * them
 */
export function mapFile(path: string, offset: number, bytes: number): Uint8Array {
  return new Uint8Array(mapBuffer(path, offset, bytes), 0, bytes);
}

function mapBuffer(path: string, offset: number, bytes: number): ArrayBuffer {
  return callAddon('map', path, () => loadAddon().map(path, offset, bytes));
}
