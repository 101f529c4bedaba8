/**
 * Plans what will be read, before any row is: files, row counts and columns.
 *
 * Takes paths and column names; returns a plan. Opens one file after the other for its schema and row count, and reads
 * the offsets of the vector column if the types leave the length of vectors open. The columns are those of all files
 * together, with types that hold the values of each, so the order of files decides only the order of rows. Ids may come
 * from other files, or be positions (attached-ids.ts). Fails on missing paths, files of no known format, missing or
 * unusable columns, and contradictory schemas.
 */
import type { ArrowField } from '../arrow/column.js';
import type { TableReader } from '../arrow/read/table-reader.js';
import type { OpenOptions } from '../formats/open-options.js';
import { openTable } from '../formats/open-table.js';
import { ShortlistError } from '../base/errors.js';
import type { IdType } from '../base/id-table.js';
import { filesOfIds, openWithIds, planIds, type PlannedIds } from './attached-ids.js';
import { chooseColumns, DEFAULT_ID_COLUMN, type ColumnOptions } from './choose-columns.js';
import { changed, inspectFile, openUnchanged, stampFile, type InspectedFile } from './inspect-file.js';
import { resolveInputs } from './inputs.js';
import { SchemaUnion } from './schema-union.js';
import { chooseLength, countLengths, type LengthCount, type LengthOptions } from './vector-lengths.js';

export interface IngestOptions extends ColumnOptions, Partial<LengthOptions> {
  /** Files, folders and globs, read in this order. */
  readonly paths: readonly string[];
  /** Files of ids, one for each file of the input, in the same order. */
  readonly ids?: readonly string[];
  readonly signal?: AbortSignal;
}

interface PlannedFile extends InspectedFile {
  /** Those of the file, and of the ids that come with it. Shared by files of equal schemas. */
  readonly fields: readonly ArrowField[];
  /** Ids that are not in the file itself; else null. */
  readonly ids: PlannedIds | null;
  readonly options: OpenOptions;
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
  /** The files of ids, in the order of `files`; `positions` if ids are positions of rows; null if files have ids. */
  readonly ids: readonly string[] | 'positions' | null;
  readonly warnings: readonly string[];
}

export async function planIngest(options: IngestOptions): Promise<IngestPlan> {
  const { signal, onBadRow = 'fail' } = options;
  const paths = await resolveInputs(options.paths);
  if (paths.length === 0) {
    throw new ShortlistError('usage', 'no input was given: name at least one file, folder or glob');
  }
  const { files, union, ids, warnings } = await inspectFiles(paths, options);
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
    ids,
    warnings: [...warnings, ...chosen.warnings, ...(length.warning === null ? [] : [length.warning])],
  };
}

interface Inspected {
  readonly files: PlannedFile[];
  readonly union: SchemaUnion;
  readonly ids: IngestPlan['ids'];
  readonly warnings: string[];
}

async function inspectFiles(paths: readonly string[], options: IngestOptions): Promise<Inspected> {
  const { signal, vectorColumn, idColumn = DEFAULT_ID_COLUMN } = options;
  const open: OpenOptions = { vectorColumn, idColumn };
  const inspected: InspectedFile[] = [];
  for (const path of paths) {
    signal?.throwIfAborted();
    inspected.push(await inspectFile(path, open));
  }
  const ids = await planIds(inspected, options.ids, idColumn, signal);
  const files: PlannedFile[] = [];
  const union = new SchemaUnion();
  const schemas = new Map<string, readonly ArrowField[]>();
  for (const [i, file] of inspected.entries()) {
    const attached = ids.files[i] ?? null;
    const all = attached === null ? file.fields : [...file.fields, attached.field];
    const key = JSON.stringify(all);
    const fields = schemas.get(key) ?? all;
    schemas.set(key, fields);
    files.push({ ...file, fields, ids: attached, options: open });
    union.add(file.path, fields);
  }
  const warnings = [...inspected.flatMap((file) => file.warnings), ...ids.warnings];
  return { files, union, ids: ids.source, warnings };
}

/** Opens a planned file again, with its ids. @throws input_corrupt if it is no longer the planned one */
export async function openPlanned(file: PlannedFile): Promise<TableReader> {
  await assertUnchanged(file);
  const reader = await openUnchanged(file, () => openTable(file.path, file.options));
  return file.ids === null ? reader : openWithIds(reader, file.ids);
}

/** @throws input_corrupt if the file, or that of its ids, was written to since it was planned */
export async function assertUnchanged({ ids, ...file }: PlannedFile): Promise<void> {
  for (const one of [file, ...filesOfIds(ids)]) if ((await stampFile(one.path)) !== one.stamp) throw changed(one);
}
