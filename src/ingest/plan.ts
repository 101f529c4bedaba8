/**
 * Plans what will be read, before any row is: files, row counts and columns.
 *
 * Takes paths and column names; returns a plan. Opens one file after the other for its schema and row count, and reads
 * the offsets of the vector column if the types leave the length of vectors open. The columns are those of all files
 * together, with types that hold the values of each, so the order of files decides only the order of rows. Fails on
 * missing paths, files that are not Arrow, missing or unusable columns, and contradictory schemas.
 */
import type { BigIntStats } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { ArrowField } from '../arrow/column.js';
import type { TableReader } from '../arrow/read/table-reader.js';
import { openTable } from '../formats/open-table.js';
import { ShortlistError, ioError } from '../base/errors.js';
import type { IdType } from '../base/id-table.js';
import { chooseColumns, type ColumnOptions } from './choose-columns.js';
import { resolveInputs } from './inputs.js';
import { SchemaUnion } from './schema-union.js';
import { chooseLength, countLengths, type LengthCount, type LengthOptions } from './vector-lengths.js';

export interface IngestOptions extends ColumnOptions, Partial<LengthOptions> {
  /** Files, folders and globs, read in this order. */
  readonly paths: readonly string[];
  readonly signal?: AbortSignal;
}

export interface PlannedFile {
  /** Normalised; relative if it was given so. */
  readonly path: string;
  readonly bytes: number;
  readonly rows: number;
  /** Changes whenever the file does. */
  readonly stamp: string;
  /** Shared by files of equal schemas. */
  readonly fields: readonly ArrowField[];
}

export interface IngestPlan {
  readonly files: readonly PlannedFile[];
  /** Rows of all files, bad ones included. */
  readonly rows: number;
  readonly idField: ArrowField;
  readonly idType: IdType;
  readonly vectorField: ArrowField;
  /** Components that every vector must have; null if no row has a vector. */
  readonly dim: number | null;
  /** Where `dim` comes from, as in `not the 768 of most vectors`. */
  readonly dimSource: string;
  /** The lengths of the vectors, the most frequent first. */
  readonly lengths: readonly LengthCount[];
  readonly attributes: readonly ArrowField[];
  readonly warnings: readonly string[];
}

export async function planIngest(options: IngestOptions): Promise<IngestPlan> {
  const { signal, onBadRow = 'fail' } = options;
  const paths = await resolveInputs(options.paths);
  if (paths.length === 0) {
    throw new ShortlistError('usage', 'no input was given: name at least one file, folder or glob');
  }
  const { files, union, warnings } = await inspectFiles(paths, signal);
  const names = paths.length === 1 ? paths[0]! : `${paths[0]!} and ${paths.length - 1} more`;
  const chosen = chooseColumns(names, union.columns(), union.files, options);
  const lengths = await countLengths(files, chosen.vector.name, signal);
  const length = chooseLength(lengths, chosen.vector, { ...options, onBadRow });
  return {
    files,
    rows: files.reduce((sum, file) => sum + file.rows, 0),
    idField: chosen.id,
    idType: chosen.idType,
    vectorField: chosen.vector,
    dim: length.dim,
    dimSource: length.source,
    lengths,
    attributes: chosen.attributes,
    warnings: [...warnings, ...chosen.warnings, ...(length.warning === null ? [] : [length.warning])],
  };
}

interface Inspected {
  readonly files: PlannedFile[];
  readonly union: SchemaUnion;
  readonly warnings: string[];
}

async function inspectFiles(paths: readonly string[], signal: AbortSignal | undefined): Promise<Inspected> {
  const files: PlannedFile[] = [];
  const union = new SchemaUnion();
  const warnings: string[] = [];
  const schemas = new Map<string, readonly ArrowField[]>();
  for (const path of paths) {
    signal?.throwIfAborted();
    const inspected = await inspectFile(path);
    const key = JSON.stringify(inspected.file.fields);
    const fields = schemas.get(key) ?? inspected.file.fields;
    schemas.set(key, fields);
    files.push({ ...inspected.file, fields });
    union.add(path, fields);
    warnings.push(...inspected.warnings);
  }
  return { files, union, warnings };
}

/** Size, schema and row count of a file, which is closed again. */
export async function inspectFile(path: string): Promise<{ file: PlannedFile; warnings: readonly string[] }> {
  const stamp = await stampFile(path);
  const reader = await openTable(path);
  try {
    const { bytes, rows, fields, warnings } = reader;
    return { file: { path, bytes, rows, stamp, fields }, warnings };
  } finally {
    await reader.close();
  }
}

/** Opens a planned file again. @throws input_corrupt if it is no longer the planned one */
export async function openPlanned(file: PlannedFile): Promise<TableReader> {
  await assertUnchanged(file);
  const reader = await openTable(file.path);
  if (reader.bytes === file.bytes && reader.rows === file.rows) return reader;
  await reader.close();
  throw changed(file);
}

/** @throws input_corrupt if the file was written to since it was planned */
export async function assertUnchanged(file: PlannedFile): Promise<void> {
  if ((await stampFile(file.path)) !== file.stamp) throw changed(file);
}

export function changed({ path }: PlannedFile): ShortlistError {
  const message = `${path} changed while it was read: wait until its writer has finished, then try again`;
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
