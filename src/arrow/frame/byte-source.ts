/** Bytes at positions of a file or of memory. `read` returns all bytes asked for or fails; they must not be changed. */
import { open, stat, type FileHandle } from 'node:fs/promises';
import { errnoOf, ioError, ShortlistError } from '../../base/errors.js';
import { MAX_READ_BYTES } from '../bounds.js';
import { ArrowFault, corrupt } from '../fault.js';

export interface ByteSource {
  readonly size: number;
  read(position: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Opens a regular file. @throws ShortlistError `input_not_found`, `input_format` if it is not a file, `io_error` */
export async function openFileSource(path: string): Promise<ByteSource> {
  try {
    // Checked before the file is opened: opening a named pipe waits for a writer.
    const stats = await stat(path);
    if (stats.isDirectory()) throw new ArrowFault('input_format', 'is a folder, not a file; name the files in it');
    if (!stats.isFile()) throw new ArrowFault('input_format', 'is not a regular file; copy its bytes to one');
    const handle = await open(path, 'r');
    return fileSource(handle, (await handle.stat()).size);
  } catch (error) {
    if (error instanceof ArrowFault) throw error;
    const errno = errnoOf(error);
    if (errno !== 'ENOENT' && errno !== 'ENOTDIR') throw ioError('open', path, error);
    const message = `${path} does not exist; check the path`;
    throw new ShortlistError('input_not_found', message, { file: path }, { cause: error });
  }
}

function fileSource(handle: FileHandle, size: number): ByteSource {
  return {
    size,
    async read(position, length) {
      checkRange(position, length, size);
      const bytes = Buffer.allocUnsafeSlow(length); // Not zeroed: every byte is read or the call fails
      for (let done = 0; done < length;) {
        const wanted = Math.min(length - done, MAX_READ_BYTES);
        const { bytesRead } = await handle.read(bytes, done, wanted, position + done);
        if (bytesRead === 0) throw corrupt(`the file became shorter than ${size} bytes while it was read`);
        done += bytesRead;
      }
      return bytes;
    },
    close: () => handle.close(),
  };
}

/** Size of one read that serves small reads in a row, and how near they must be to each other. */
const WINDOW_BYTES = 256 * 1024;
const NEAR_BYTES = 64 * 1024;

/**
 * Serves small reads in a row from one larger read. Metadata and small batches, of which a file may have thousands,
 * would cost a request each otherwise. Large and scattered reads pass through.
 */
export function windowedSource(source: ByteSource): ByteSource {
  let window: Window = { start: 0, bytes: new Uint8Array(0) };
  let lastEnd = -Infinity;
  return {
    ...source,
    async read(position, length) {
      const isNear = position >= lastEnd && position - lastEnd <= NEAR_BYTES;
      lastEnd = position + length;
      if (position >= window.start && lastEnd <= window.start + window.bytes.length)
        return slice(window, position, length);
      if (length > NEAR_BYTES || !isNear) return source.read(position, length);
      // Aligned as in the file, so that numbers can be viewed in place.
      const start = position - (position % 8);
      const bytes = Math.max(position + length - start, Math.min(WINDOW_BYTES, source.size - start));
      const loaded: Window = { start, bytes: await source.read(start, bytes) };
      window = loaded;
      return slice(loaded, position, length);
    },
  };
}

interface Window {
  readonly start: number;
  readonly bytes: Uint8Array;
}

function slice(window: Window, position: number, length: number): Uint8Array {
  return window.bytes.subarray(position - window.start, position - window.start + length);
}

/** @param bytes must not change while the source, or anything read from it, is in use */
export function memorySource(bytes: Uint8Array): ByteSource {
  return {
    size: bytes.length,
    read(position, length) {
      checkRange(position, length, bytes.length);
      return Promise.resolve(bytes.subarray(position, position + length));
    },
    close: () => Promise.resolve(),
  };
}

function checkRange(position: number, length: number, size: number): void {
  if (position < 0 || length < 0 || position + length > size) {
    throw corrupt(`it ends at byte ${size}, before the ${length} bytes at ${position} that it says it has`);
  }
}
