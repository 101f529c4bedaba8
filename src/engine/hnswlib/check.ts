/**
 * Checks a graph file before native code reads it, since hnswlib trusts every byte.
 *
 * Takes a path and what the file must be; gives nothing, or `file_corrupt` with the row and the reason. A file that
 * passes cannot make a search read outside its memory: every link names a row, links of a level lead to rows that
 * have that level, the entry point has the highest level, and sizes add up to the end of the file. Labels are the
 * row numbers. If the shard's vectors are given, the graph must hold them (times their factor), which detects a
 * graph of other vectors, another dimension or a flipped bit. The file does not tell the metric that it was built
 * for.
 *
 * `checkFile` does not block the event loop; `checkFileSync` is for builds.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { errnoOf, ioError, ShortlistError } from '../../base/errors.js';
import type { GraphShape } from '../engine.js';
import { checkBlocks, corrupt, type GraphContents } from './graph-checks.js';

/** Checks the file at `path`. @throws file_missing, file_corrupt, io_error */
export async function checkFile(path: string, shape: GraphShape, contents?: GraphContents): Promise<void> {
  try {
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      for (const { into, position } of checkBlocks(path, size, shape, contents)) {
        for (let done = 0; done < into.length;) {
          const { bytesRead } = await handle.read(into, done, into.length - done, position + done);
          done += expectBytes(path, bytesRead);
        }
      }
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw readError(path, error);
  }
}

/** `checkFile` for a thread that may be blocked. */
export function checkFileSync(path: string, shape: GraphShape): void {
  try {
    const file = openSync(path, 'r');
    try {
      for (const { into, position } of checkBlocks(path, fstatSync(file).size, shape)) {
        for (let done = 0; done < into.length;) {
          done += expectBytes(path, readSync(file, into, done, into.length - done, position + done));
        }
      }
    } finally {
      closeSync(file);
    }
  } catch (error) {
    throw readError(path, error);
  }
}

function expectBytes(path: string, bytesRead: number): number {
  if (bytesRead === 0) throw corrupt(path, 'became shorter while it was read');
  return bytesRead;
}

function readError(path: string, error: unknown): unknown {
  if (errnoOf(error) === null) return error;
  if (errnoOf(error) !== 'ENOENT') return ioError('read', path, error);
  return new ShortlistError('file_missing', `${path} is missing; build the version again or restore the file`, {
    file: path,
  });
}
