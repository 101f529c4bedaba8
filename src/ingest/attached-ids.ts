/**
 * Ids of files that have none of their own.
 *
 * Takes the files of an input, and the files of ids that the user named; decides where the ids of each file come from:
 * from the file itself, from its file of ids, or from the positions of its rows in the whole input. Then reads a file
 * and its ids as one table. Fails with `usage` and `schema_mismatch`, and with the errors of the files of ids.
 */
import type { ArrowField, Column } from '../arrow/column.js';
import { gatherRows } from '../arrow/gather.js';
import type { Chunk, TableReader } from '../arrow/read/table-reader.js';
import { ShortlistError } from '../base/errors.js';
import { openIdTable } from '../formats/open-table.js';
import { chooseId } from './choose-columns.js';
import { changed, inspectOpened, openUnchanged, type InspectedFile } from './inspect-file.js';
import { resolveInputs } from './inputs.js';

/** The ids of one file: the rows of another file, or numbers. */
export type PlannedIds =
  | { readonly kind: 'file'; readonly field: ArrowField; readonly file: InspectedFile; readonly position: number }
  | { readonly kind: 'positions'; readonly field: ArrowField; readonly first: number };

interface IdsOfInput {
  /** For each file; null if it has an id column, or must have one. */
  readonly files: readonly (PlannedIds | null)[];
  readonly source: readonly string[] | 'positions' | null;
  readonly warnings: readonly string[];
}

/** @param paths files of ids, folders and globs; undefined if the user named none */
export async function planIds(
  files: readonly InspectedFile[],
  paths: readonly string[] | undefined,
  idColumn: string,
  signal: AbortSignal | undefined,
): Promise<IdsOfInput> {
  if (paths !== undefined) return idsOfFiles(files, await resolveInputs(paths), idColumn, signal);
  const nameless = files.find(({ namesColumns }) => !namesColumns);
  if (nameless === undefined) return { files: files.map(() => null), source: null, warnings: [] };
  const named = files.find(({ namesColumns }) => namesColumns);
  if (named !== undefined) throw mixed(nameless, named);
  return positionsOf(files, idColumn);
}

function mixed({ path }: InspectedFile, named: InspectedFile): ShortlistError {
  const message =
    `${path} has no ids, but ${named.path} has columns: give the ids of every file with --ids, ` +
    `or write all files as Arrow or Parquet with an id column`;
  return new ShortlistError('schema_mismatch', message, { file: path, first_file: named.path });
}

function positionsOf(files: readonly InspectedFile[], idColumn: string): IdsOfInput {
  const field: ArrowField = { name: idColumn, type: { kind: 'int', bits: 64, signed: true }, nullable: false, label: 'int64' }; // prettier-ignore
  let first = 0;
  const ids = files.map(({ rows }): PlannedIds => {
    first += rows;
    return { kind: 'positions', field, first: first - rows };
  });
  const names = files.length === 1 ? `${files[0]!.path} has` : `${files[0]!.path} and ${files.length - 1} more have`;
  const warning = `${names} no ids: the ids are the positions of the rows in the input, from 0; --ids names files of ids`;
  return { files: ids, source: 'positions', warnings: [warning] };
}

async function idsOfFiles(
  files: readonly InspectedFile[],
  paths: readonly string[],
  idColumn: string,
  signal: AbortSignal | undefined,
): Promise<IdsOfInput> {
  const own = files.find(({ namesColumns, fields }) => namesColumns && fields.some(({ name }) => name === idColumn));
  if (own !== undefined) {
    const message = `${own.path} has the id column ${JSON.stringify(idColumn)}, and --ids gives ids too: leave --ids out, or name another --id-column`; // prettier-ignore
    throw new ShortlistError('usage', message, { file: own.path, column: idColumn, option: '--ids' });
  }
  if (paths.length !== files.length) {
    const message = `--ids names ${count(paths.length)} and --input ${count(files.length)}: each file of the input needs one file of ids, in the same order`; // prettier-ignore
    throw new ShortlistError('usage', message, { ids: paths, files: files.map(({ path }) => path) });
  }
  const ids: PlannedIds[] = [];
  const warnings: string[] = [];
  for (const [i, path] of paths.entries()) {
    signal?.throwIfAborted();
    const file = await inspectOpened(path, () => openIdTable(path, idColumn));
    const { field } = chooseId(path, file.fields, idColumn);
    if (file.rows !== files[i]!.rows) throw differ(files[i]!, file);
    ids.push({ kind: 'file', field, file, position: file.fields.indexOf(field) });
    warnings.push(...file.warnings);
  }
  return { files: ids, source: paths, warnings };
}

function count(files: number): string {
  return files === 1 ? '1 file' : `${files} files`;
}

function differ(file: InspectedFile, ids: InspectedFile): ShortlistError {
  const message = `${file.path} has ${rowsOf(file)}, but ${ids.path} has ${ids.rows.toLocaleString('en-US')} ids: each row needs one`;
  return new ShortlistError('schema_mismatch', message, { file: file.path, rows: file.rows, ids_file: ids.path, ids: ids.rows }); // prettier-ignore
}

function rowsOf({ rows }: InspectedFile): string {
  return `${rows.toLocaleString('en-US')} ${rows === 1 ? 'row' : 'rows'}`;
}

/** The files that ids come from. */
export function filesOfIds(ids: PlannedIds | null): readonly InspectedFile[] {
  return ids?.kind === 'file' ? [ids.file] : [];
}

/** A file with the column of its ids behind its own columns. Closing it closes both. */
export async function openWithIds(reader: TableReader, ids: PlannedIds): Promise<TableReader> {
  try {
    if (ids.kind === 'positions') return withIds(reader, ids.field, numbersFrom(ids.first), () => Promise.resolve());
    const table = await openUnchanged(ids.file, () => openIdTable(ids.file.path, ids.field.name));
    const pages = new IdPages(table, ids);
    const close = async (): Promise<void> => {
      await pages.close();
      await table.close();
    };
    return withIds(reader, ids.field, (_, rows) => pages.next(rows), close);
  } catch (error) {
    await reader.close();
    throw error;
  }
}

/** The ids of these rows, which are those after the last ones asked for. */
type NextIds = (firstRow: number, rows: number) => Promise<Column> | Column;

function withIds(reader: TableReader, field: ArrowField, next: NextIds, close: () => Promise<void>): TableReader {
  const place = reader.fields.length;
  return {
    path: reader.path,
    bytes: reader.bytes,
    rows: reader.rows,
    namesColumns: reader.namesColumns,
    warnings: reader.warnings,
    fields: [...reader.fields, field],
    async *read(columns): AsyncGenerator<Chunk, void, undefined> {
      for await (const chunk of reader.read(columns.filter((column) => column !== place))) {
        const own = chunk.columns[Symbol.iterator]();
        const ids = columns.includes(place) ? await next(chunk.firstRow, chunk.rows) : null;
        yield { ...chunk, columns: columns.map((column) => (column === place ? ids! : own.next().value!)) };
      }
    },
    readExtents: (column) => reader.readExtents(column),
    async close() {
      await reader.close();
      await close();
    },
  };
}

function numbersFrom(first: number): NextIds {
  return (firstRow, rows) => ({
    shape: 'numbers',
    type: { kind: 'int', bits: 64, signed: true },
    rows,
    valid: null,
    values: BigInt64Array.from({ length: rows }, (_, row) => BigInt(first + firstRow + row)),
  });
}

/** The rows of a file of ids, cut as the chunks of another file are. */
class IdPages {
  private readonly chunks: AsyncGenerator<Chunk, void, undefined>;
  private column: Column | null = null;
  private at = 0;

  constructor(
    table: TableReader,
    private readonly ids: PlannedIds & { readonly kind: 'file' },
  ) {
    this.chunks = table.read([ids.position]);
  }

  async next(rows: number): Promise<Column> {
    const pieces: Column[] = [];
    const picked = { pieces: new Uint32Array(rows), rows: new Uint32Array(rows) };
    for (let done = 0; done < rows;) {
      const column = await this.open();
      const taken = Math.min(rows - done, column.rows - this.at);
      for (let i = 0; i < taken; i++) {
        picked.pieces[done + i] = pieces.length;
        picked.rows[done + i] = this.at + i;
      }
      pieces.push(column);
      this.at += taken;
      done += taken;
    }
    return gatherRows(pieces, picked);
  }

  async close(): Promise<void> {
    await this.chunks.return();
  }

  private async open(): Promise<Column> {
    while (this.column === null || this.at === this.column.rows) {
      const next = await this.chunks.next();
      if (next.done === true) throw changed(this.ids.file);
      this.column = next.value.columns[0]!;
      this.at = 0;
    }
    return this.column;
  }
}
