/**
 * Bytes at positions: a file, or memory. `read` gives exactly what was asked for or fails; what it gives may be kept but
 * not written to.
 */
import { open, stat, type FileHandle } from 'node:fs/promises';
import { errnoOf, ioError, ShortlistError } from '../base/errors.js';
import { MAX_READ_BYTES } from './bounds.js';
import { ArrowFault, corrupt } from './fault.js';

export interface ByteSource {
  readonly size: number;
  read(position: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Opens a regular file. @throws ShortlistError `input_not_found`, `input_format` for what is no file, `io_error` */
export async function openFileSource(path: string): Promise<ByteSource> {
  try {
    // Asked before it is opened: opening a named pipe waits for a writer.
    const stats = await stat(path);
    if (stats.isDirectory())
      throw new ArrowFault('input_format', 'is a folder, not a file; give the Arrow files in it');
    if (!stats.isFile()) throw new ArrowFault('input_format', 'is no regular file; copy its bytes to one');
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

/** @param bytes must not change as long as the source or anything read from it is in use */
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
