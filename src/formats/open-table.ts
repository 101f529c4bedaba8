/** Opens a file of columns, whatever its format: its first bytes decide, not its name. Readers load when needed. */
import { open, stat } from 'node:fs/promises';
import { openArrow } from '../arrow/read/reader.js';
import type { TableReader } from '../arrow/read/table-reader.js';

export async function openTable(path: string): Promise<TableReader> {
  if ((await magicOf(path)) !== 'PAR1') return openArrow(path);
  const { openParquet } = await import('./parquet/reader.js');
  return openParquet(path);
}

const MAGIC_BYTES = 4;

/** The first bytes of a file; empty if it cannot be read, which its reader then reports. */
async function magicOf(path: string): Promise<string> {
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
