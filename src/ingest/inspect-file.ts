/** What a file of the input is before its rows are read, and whether it is still the same when they are. */
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { ArrowField } from '../arrow/column.js';
import type { TableReader } from '../arrow/read/table-reader.js';
import { ShortlistError, ioError } from '../base/errors.js';
import type { OpenOptions } from '../formats/open-options.js';
import { openTable } from '../formats/open-table.js';

export interface InspectedFile {
  /** Normalised; relative if it was given so. */
  readonly path: string;
  readonly bytes: number;
  readonly rows: number;
  /** Changes whenever the file does. */
  readonly stamp: string;
  readonly fields: readonly ArrowField[];
  /** As in TableReader. */
  readonly namesColumns: boolean;
  readonly warnings: readonly string[];
}

export function inspectFile(path: string, options: OpenOptions): Promise<InspectedFile> {
  return inspectOpened(path, () => openTable(path, options));
}

/** Size, schema and row count of a file, which is closed again. */
export async function inspectOpened(path: string, open: () => Promise<TableReader>): Promise<InspectedFile> {
  const stamp = await stampFile(path);
  const reader = await open();
  try {
    const { bytes, rows, fields, namesColumns, warnings } = reader;
    return { path, bytes, rows, stamp, fields, namesColumns, warnings };
  } finally {
    await reader.close();
  }
}

/** Opens an inspected file again. @throws input_corrupt if it has another size */
export async function openUnchanged(file: InspectedFile, open: () => Promise<TableReader>): Promise<TableReader> {
  const reader = await open();
  if (reader.bytes === file.bytes && reader.rows === file.rows) return reader;
  await reader.close();
  throw changed(file);
}

export function changed({ path }: Pick<InspectedFile, 'path'>): ShortlistError {
  const message = `${path} changed while it was read: wait until its writer has finished, then try again`;
  return new ShortlistError('input_corrupt', message, { file: path });
}

/** @throws io_error */
export async function stampFile(path: string): Promise<string> {
  let found: BigIntStats;
  try {
    found = await stat(path, { bigint: true });
  } catch (error) {
    throw ioError('read', path, error);
  }
  // Who writes can set the time of the last write, but not that of the last change.
  return [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':');
}
