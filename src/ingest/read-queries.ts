/**
 * Reads query files into memory: the same columns and rows as an index's input, but every bad row is an error.
 * Each file is read by itself, in any order: how one names its vectors, or whether it has ids, says nothing about
 * others.
 */
import type { ArrowField, Column } from '../arrow/column.js';
import type { TableReader } from '../arrow/read/table-reader.js';
import type { OpenOptions } from '../formats/open-options.js';
import { openTable } from '../formats/open-table.js';
import { ShortlistError } from '../base/errors.js';
import type { Metric } from '../base/metric.js';
import { BadRowTally, badRowsError, type BadRow, type BadRowKind } from './bad-rows.js';
import { DEFAULT_ID_COLUMN, chooseId, chooseVector } from './choose-columns.js';
import { componentsOf, idTypeOf, isVectorType } from './column-types.js';
import { IdRows } from './id-rows.js';
import { inspectFile } from './inspect-file.js';
import { resolveInputs } from './inputs.js';
import { VectorRows } from './vector-rows.js';

export interface QueryOptions {
  /** Must be in every file. Default, per file: the preferred one, the only vector column, `embedding` or `vector`. */
  readonly vectorColumn?: string;
  /** The vector column of files that have a column with this name. */
  readonly preferredColumn?: string;
  /** Must be in every file. Default `id`, if every file has it with a type that ids may have. */
  readonly idColumn?: string;
  /** Components of every query. */
  readonly dim: number;
  readonly metric: Metric;
  readonly onWarning?: (message: string) => void;
  readonly signal?: AbortSignal;
}

export interface QueryRows {
  readonly count: number;
  /** count x dim values, of unit length under cosine. */
  readonly vectors: Float32Array;
  /** Canonical texts, if there is an id column. They may repeat. */
  readonly ids?: readonly string[];
}

/** Most components of all queries together, 8 GiB: larger files are answered in parts. */
const MAX_QUERY_VALUES = 2 ** 31;

/** @throws dimension_mismatch, no_rows, bad_rows (with file and row), and errors of files and columns */
export async function readQueries(paths: readonly string[], options: QueryOptions): Promise<QueryRows> {
  const files = await resolveInputs(paths);
  const queries = new QueryReader(options, await everyFileHasIds(files, options));
  for (const file of files) {
    options.signal?.throwIfAborted();
    const reader = await openTable(file, openOptions(options));
    try {
      for (const warning of reader.warnings) options.onWarning?.(warning);
      await queries.read(reader);
    } finally {
      await reader.close();
    }
  }
  return queries.finish(files);
}

function openOptions({ vectorColumn, idColumn }: QueryOptions): OpenOptions {
  return { vectorColumn, idColumn, purpose: 'queries' };
}

async function everyFileHasIds(files: readonly string[], options: QueryOptions): Promise<boolean> {
  if (options.idColumn !== undefined) return true;
  for (const path of files) {
    options.signal?.throwIfAborted();
    const { fields } = await inspectFile(path, openOptions(options));
    if (!fields.some(({ name, type }) => name === DEFAULT_ID_COLUMN && idTypeOf(type) !== null)) return false;
  }
  return true;
}

class QueryReader {
  private readonly vectorRows: VectorRows;
  private readonly idRows = new IdRows();
  private readonly tally = new BadRowTally();
  private readonly parts: Float32Array[] = [];
  private readonly ids: string[] = [];
  private count = 0;
  private rowsRead = 0;

  constructor(
    private readonly options: QueryOptions,
    private readonly hasIds: boolean,
  ) {
    this.vectorRows = new VectorRows(options.metric, options.dim, 'the index');
  }

  async read(reader: TableReader): Promise<void> {
    const { path, fields } = reader;
    const vector = chooseVector(path, fields, this.options.vectorColumn ?? this.preferredIn(fields));
    const size = componentsOf(vector.type)?.size ?? null;
    if (size !== null && size !== this.options.dim) {
      const message = `${path}: the queries of column ${JSON.stringify(vector.name)} have ${size} components, but the index has ${this.options.dim}`;
      throw new ShortlistError('dimension_mismatch', message, { file: path, dim: size, expected: this.options.dim });
    }
    const positions = [fields.indexOf(vector)];
    if (this.hasIds) positions.push(fields.indexOf(chooseId(path, fields, this.options.idColumn).field));
    for await (const chunk of reader.read(positions)) {
      this.options.signal?.throwIfAborted();
      this.checkChunk(path, chunk.firstRow, chunk.rows, chunk.columns);
      this.rowsRead += chunk.rows;
    }
  }

  finish(files: readonly string[]): QueryRows {
    if (this.tally.total > 0) {
      throw badRowsError(this.tally.snapshot(), this.rowsRead, 'correct them or remove them from the query file');
    }
    if (this.count === 0) {
      throw new ShortlistError('no_rows', `the query input ${files.join(', ')} has no rows`, { files });
    }
    const vectors = new Float32Array(this.count * this.options.dim);
    let at = 0;
    for (const part of this.parts) {
      vectors.set(part, at);
      at += part.length;
    }
    return { count: this.count, vectors, ...(this.hasIds ? { ids: this.ids } : {}) };
  }

  /** The preferred column, if the file has vectors in it: then a second vector column does not matter. */
  private preferredIn(fields: readonly ArrowField[]): string | undefined {
    const { preferredColumn } = this.options;
    return fields.find(({ name, type }) => name === preferredColumn && isVectorType(type))?.name;
  }

  private checkChunk(path: string, firstRow: number, rows: number, columns: readonly Column[]): void {
    const { vectorRows, idRows } = this;
    const { dim } = this.options;
    const [vectorColumn, idColumn] = columns;
    vectorRows.open(vectorColumn!);
    if (idColumn !== undefined) idRows.open(idColumn);
    const vectors = new Float32Array(rows * dim);
    for (let row = 0; row < rows; row++) {
      const idFault = idColumn === undefined ? null : idRows.check(row);
      const fault = idFault ?? vectorRows.copy(row, vectors, row * dim);
      if (fault !== null) this.reject(fault, path, firstRow, row, idColumn !== undefined);
      else if (idColumn !== undefined) this.ids.push(idRows.text(row)!);
    }
    // After a bad row the query file is refused, so nothing more is kept.
    if (this.tally.total > 0) return;
    this.parts.push(vectors);
    this.count += rows;
    if (this.count * dim > MAX_QUERY_VALUES) throw tooMany(path);
  }

  private reject(
    kind: Exclude<BadRowKind, 'duplicate_id'>,
    file: string,
    firstRow: number,
    row: number,
    hasId: boolean,
  ): void {
    const describe = (): BadRow => ({
      file,
      row: firstRow + row,
      id: hasId ? this.idRows.text(row) : null,
      kind,
      detail:
        kind === 'null_id' || kind === 'bad_id' ? this.idRows.explain(row, kind) : this.vectorRows.explain(row, kind),
    });
    this.tally.add(kind, describe);
  }
}

function tooMany(file: string): ShortlistError {
  const message = `${file}: the queries have more than ${MAX_QUERY_VALUES} components in total: split them into several files and runs`;
  return new ShortlistError('input_too_large', message, { file, limit: MAX_QUERY_VALUES });
}
