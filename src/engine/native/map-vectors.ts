import { callAddon, loadAddon } from './addon.js';

/**
 * The float32 values of a file from byte `offset` on, mapped instead of read: opening costs nothing, and every process
 * shares one copy through the page cache. @throws file_missing, file_corrupt where the file ends before them
 */
export function mapVectors(path: string, offset: number, length: number): Float32Array {
  return new Float32Array(mapBuffer(path, offset, 4 * length), 0, length);
}

/**
 * The bytes of a file from `offset` on, likewise. @throws file_missing, file_corrupt where the file ends before them
 */
export function mapFile(path: string, offset: number, bytes: number): Uint8Array {
  return new Uint8Array(mapBuffer(path, offset, bytes), 0, bytes);
}

function mapBuffer(path: string, offset: number, bytes: number): ArrayBuffer {
  return callAddon('map', path, () => loadAddon().map(path, offset, bytes));
}
