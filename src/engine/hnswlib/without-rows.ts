/**
 * A copy of a graph file without links to some rows, so that searches treat them as never inserted. hnswlib itself
 * can only drop rows from answers and still walks through them.
 *
 * Takes a checked file; gives one of the same size, in the system's folder for temporary files, while `use` runs.
 * The entry point stays reachable even if it is one of the rows. Fails with io_error, disk_full.
 */
import { copyFileSync, mkdtempSync, openSync, closeSync, readSync, rmSync, writeSync, fstatSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ioError } from '../../base/errors.js';
import { elementBytes, HEADER, HEADER_BYTES, upperListBytes } from './layout.js';

/** Bytes read, changed and written together: about a millisecond of work. */
const BLOCK_BYTES = 1024 * 1024;

interface Shape {
  readonly count: number;
  readonly dim: number;
  readonly m: number;
}

export async function withoutRows<T>(
  path: string,
  shape: Shape,
  rows: Uint32Array,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'shortlist-calibrate-'));
  try {
    const copy = join(folder, 'graph');
    try {
      copyFileSync(path, copy);
      await unlinkRows(copy, shape, rows);
    } catch (error) {
      throw ioError('write', copy, error);
    }
    return await use(copy);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function unlinkRows(path: string, { count, dim, m }: Shape, rows: Uint32Array): Promise<void> {
  const file = openSync(path, 'r+');
  try {
    const header = new DataView(new ArrayBuffer(HEADER_BYTES));
    readAt(file, header, 0);
    const gone = new Uint8Array(count);
    for (const row of rows) gone[row] = 1;
    gone[header.getUint32(HEADER.entryPoint, true)] = 0;
    const bytes = elementBytes(dim, m);
    const elements = Math.max(1, Math.floor(BLOCK_BYTES / bytes));
    for (let first = 0; first < count; first += elements) {
      const words = new Uint32Array((Math.min(elements, count - first) * bytes) / 4);
      change(file, words, HEADER_BYTES + first * bytes, () => {
        for (let at = 0; at < words.length; at += bytes / 4) dropLinks(words, at, gone);
      });
      await setImmediate();
    }
    const upper = new Uint32Array((fstatSync(file).size - HEADER_BYTES - count * bytes) / 4);
    const list = upperListBytes(m) / 4;
    change(file, upper, HEADER_BYTES + count * bytes, () => {
      for (let record = 0; record < upper.length;) {
        const end = record + 1 + upper[record]! / 4;
        for (let at = record + 1; at < end; at += list) dropLinks(upper, at, gone);
        record = end;
      }
    });
  } finally {
    closeSync(file);
  }
}

/** A list: a count, then links. */
function dropLinks(words: Uint32Array, at: number, gone: Uint8Array): void {
  const links = words[at]!;
  let kept = 0;
  for (let i = 1; i <= links; i++) {
    const to = words[at + i]!;
    if (gone[to] === 0) words[at + ++kept] = to;
  }
  words[at] = kept;
}

function change(file: number, words: Uint32Array, position: number, work: () => void): void {
  readAt(file, words, position);
  work();
  for (let done = 0; done < words.byteLength;)
    done += writeSync(file, words, done, words.byteLength - done, position + done);
}

function readAt(file: number, into: NodeJS.ArrayBufferView, position: number): void {
  for (let done = 0; done < into.byteLength;) {
    const read = readSync(file, into, done, into.byteLength - done, position + done);
    if (read === 0) throw new Error('the copy ended early');
    done += read;
  }
}
