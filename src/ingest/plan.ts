/**
 * What will be read, before anything is: files, rows and columns.
 *
 * Takes paths and column names; gives a plan. Opens every file for its schema and row count alone, one at a time.
 * Fails on missing paths, files that are not Arrow, missing or unusable columns, and schemas that differ.
 */
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { ArrowField } from '../arrow/column.js';
import { openArrow, type ArrowReader } from '../arrow/reader.js';
import { ShortlistError, ioError } from '../base/errors.js';
import type { IdType } from '../base/id-table.js';
import { chooseColumns, locateColumns, type ChosenColumns, type ColumnOptions } from './choose-columns.js';
import { resolveInputs } from './inputs.js';

export interface IngestOptions extends ColumnOptions {
  /** Files, folders and globs, read in this order. */
  readonly paths: readonly string[];
  readonly signal?: AbortSignal;
}

export interface PlannedFile {
  /** As given, normalised; relative where it was given relative. */
  readonly path: string;
  readonly bytes: number;
  readonly rows: number;
  /** Changes whenever the file does. */
  readonly stamp: string;
}

export interface IngestPlan {
  readonly files: readonly PlannedFile[];
  /** Rows of all files, bad ones included. */
  readonly rows: number;
  readonly idField: ArrowField;
  readonly idType: IdType;
  readonly vectorField: ArrowField;
  /** Components of a vector; null where the column's type leaves it to the first row. */
  readonly dim: number | null;
  readonly attributes: readonly ArrowField[];
  readonly warnings: readonly string[];
}

export async function planIngest(options: IngestOptions): Promise<IngestPlan> {
  const paths = await resolveInputs(options.paths);
  const files: PlannedFile[] = [];
  let chosen: ChosenColumns | null = null;
  for (const path of paths) {
    options.signal?.throwIfAborted();
    const { file, fields } = await inspectFile(path);
    files.push(file);
    if (chosen === null) chosen = chooseColumns(path, fields, options);
    else locateColumns(path, fields, columnsOf(chosen), paths[0]!);
  }
  if (chosen === null) throw new ShortlistError('usage', 'no input is given: name at least one file, folder or glob');
  const { type } = chosen.vector;
  return {
    files,
    rows: files.reduce((sum, file) => sum + file.rows, 0),
    idField: chosen.id,
    idType: chosen.idType,
    vectorField: chosen.vector,
    dim: type.kind === 'list' ? type.size : null,
    attributes: chosen.attributes,
    warnings: chosen.warnings,
  };
}

function columnsOf(chosen: ChosenColumns): ArrowField[] {
  return [chosen.id, chosen.vector, ...chosen.attributes];
}

/** A file's size and schema, and nothing of it left open. */
export async function inspectFile(path: string): Promise<{ file: PlannedFile; fields: readonly ArrowField[] }> {
  const stamp = await stampFile(path);
  const reader = await openArrow(path);
  try {
    return { file: { path, bytes: reader.bytes, rows: reader.rows, stamp }, fields: reader.fields };
  } finally {
    await reader.close();
  }
}

/** Opens a planned file again. @throws input_corrupt where it is no longer what was planned */
export async function openPlanned(file: PlannedFile): Promise<ArrowReader> {
  await assertUnchanged(file);
  const reader = await openArrow(file.path);
  if (reader.bytes === file.bytes && reader.rows === file.rows) return reader;
  await reader.close();
  throw changed(file);
}

/** @throws input_corrupt where the file was written to since it was planned */
export async function assertUnchanged(file: PlannedFile): Promise<void> {
  if ((await stampFile(file.path)) !== file.stamp) throw changed(file);
}

export function changed({ path }: PlannedFile): ShortlistError {
  const message = `${path} changed while it was read: let what writes it finish, then try again`;
  return new ShortlistError('input_corrupt', message, { file: path });
}

async function stampFile(path: string): Promise<string> {
  let found: BigIntStats;
  try {
    found = await stat(path, { bigint: true });
  } catch (error) {
    throw ioError('read', path, error);
  }
  return [found.dev, found.ino, found.size, found.mtimeNs].join(':');
}
