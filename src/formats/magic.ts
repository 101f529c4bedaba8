/** Which of our formats a file is, by its first bytes. */
import { open, stat } from 'node:fs/promises';

const MAGIC = [
  ['parquet', 'PAR1'],
  ['npy', '\x93NUMPY'],
  ['hdf5', '\x89HDF\r\n\x1a\n'],
  ['arrow', 'ARROW1'],
  ['arrow', '\xff\xff\xff\xff'],
] as const;

const MAGIC_BYTES = 8;

/** Null if it is none of these, or cannot be read, which its reader then reports. */
export async function formatOf(path: string): Promise<(typeof MAGIC)[number][0] | null> {
  const head = await readHead(path);
  return MAGIC.find(([, magic]) => head.startsWith(magic))?.[0] ?? null;
}

async function readHead(path: string): Promise<string> {
  try {
    if (!(await stat(path)).isFile()) return ''; // opening a named pipe waits for a writer
    const handle = await open(path, 'r');
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAGIC_BYTES), 0, MAGIC_BYTES, 0);
      return buffer.toString('latin1', 0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch {
    return '';
  }
}
