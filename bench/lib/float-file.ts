/** Files of float32 and uint32 values of any size: Node reads and writes at most 2 GiB at once. */
import { closeSync, fstatSync, openSync, readSync, renameSync, writeSync } from 'node:fs';

const WINDOW_BYTES = 2 ** 28;

/** The file appears whole or not at all. */
export function writeValues(path: string, values: Float32Array | Uint32Array): void {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const file = openSync(`${path}.part`, 'w');
  try {
    for (let from = 0; from < bytes.length;)
      from += writeSync(file, bytes, from, Math.min(WINDOW_BYTES, bytes.length - from));
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.part`, path);
}

export function readFloats(path: string): Float32Array {
  return new Float32Array(readBytes(path));
}

export function readUints(path: string): Uint32Array {
  return new Uint32Array(readBytes(path));
}

/** One array a row, each with memory of its own: what callers of every engine can hand over without a trap. */
export function readRowArrays(path: string, dim: number): Float32Array[] {
  const values = readFloats(path);
  return Array.from({ length: values.length / dim }, (_, row) => values.slice(row * dim, (row + 1) * dim));
}

function readBytes(path: string): ArrayBuffer {
  const file = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(fstatSync(file).size);
    for (let from = 0; from < bytes.length;) {
      const read = readSync(file, bytes, from, Math.min(WINDOW_BYTES, bytes.length - from), from);
      if (read === 0) throw new Error(`${path} ended at byte ${from} of ${bytes.length}`);
      from += read;
    }
    return bytes.buffer;
  } finally {
    closeSync(file);
  }
}
