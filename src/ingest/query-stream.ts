/**
 * Queries one block after the other, from files or from a pipe, in memory for one chunk. Takes paths, or the bytes of
 * an Arrow stream, and a reader of rows: of vectors (here) or of seeds (seed-rows.ts). Gives what the reader makes of
 * the rows of each chunk, in input order. Bad rows are errors of the first chunk that has some.
 */
import { openArrowPipe } from '../arrow/read/pipe.js';
import type { Chunk, TableReader } from '../arrow/read/table-reader.js';
import type { ArrowField } from '../arrow/column.js';
import { ShortlistError } from '../base/errors.js';
import type { Metric } from '../base/metric.js';
import { openTable } from '../formats/open-table.js';
import { BadRowTally, badRowsError } from './bad-rows.js';
import { chooseVector } from './choose-columns.js';
import { componentsOf, isVectorType } from './column-types.js';
import { resolveInputs } from './inputs.js';
import { VectorRows } from './vector-rows.js';

/** Makes queries of the rows of one file or pipe. */
export interface QueryReader<T> {
  /** Positions of the columns that it needs. */
  readonly columns: readonly number[];
  /** @param chunk with these columns, in this order @param low first row @param high after the last row */
  read(chunk: Chunk, low: number, high: number): T;
}

/** @param path for messages @throws if the file has no such columns */
type StartReader<T> = (path: string, fields: readonly ArrowField[]) => QueryReader<T>;

export interface QueryStreamOptions {
  /** Of vectors; must be in every file. HDF5 files have no others. */
  readonly vectorColumn?: string | undefined;
  /** Queries to leave out at the start, and the first not to give; both over all files. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Called with what is odd about a pipe, when all of it is read. */
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Files of queries with their total, before any vector is read. */
export interface QueryFiles {
  readonly files: readonly QueryFile[];
  readonly queries: number;
  /** About files that may be incomplete, each with its path. */
  readonly warnings: readonly string[];
}

interface QueryFile {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
}

function openQueries(path: string, vectorColumn: string | undefined): Promise<TableReader> {
  return openTable(path, { vectorColumn, purpose: 'queries' });
}

/**
 * @param vectorColumn as in QueryStreamOptions
 * @throws input_not_found, input_format, no_rows, ...
 */
export async function planQueries(paths: readonly string[], vectorColumn: string | undefined): Promise<QueryFiles> {
  const files: QueryFile[] = [];
  const warnings: string[] = [];
  for (const path of await resolveInputs(paths)) {
    const reader = await openQueries(path, vectorColumn);
    files.push({ path, rows: reader.rows, bytes: reader.bytes });
    warnings.push(...reader.warnings);
    await reader.close();
  }
  const queries = files.reduce((sum, { rows }) => sum + rows, 0);
  if (queries === 0) {
    const names = files.map(({ path }) => path);
    throw new ShortlistError('no_rows', `the query input ${names.join(', ')} has no rows`, { files: names });
  }
  return { files, queries, warnings };
}

type QueryBlocks<T> = AsyncGenerator<T, void, undefined>;

export async function* streamFiles<T>(
  { files }: QueryFiles,
  start: StartReader<T>,
  options: QueryStreamOptions,
): QueryBlocks<T> {
  const { from = 0, to = Infinity } = options;
  let first = 0;
  for (const { path, rows } of files) {
    if (first + rows > from && first < to) {
      const table = await openQueries(path, options.vectorColumn);
      try {
        const reader = start(path, table.fields);
        yield* blocksOf(reader, table.read(reader.columns), first, options);
      } finally {
        await table.close();
      }
    }
    first += rows;
  }
}

/** @param name stands for the path in messages */
export async function* streamPipe<T>(
  name: string,
  bytes: AsyncIterable<Uint8Array>,
  start: StartReader<T>,
  options: QueryStreamOptions,
): QueryBlocks<T> {
  const pipe = await openArrowPipe(name, bytes);
  const reader = start(name, pipe.fields);
  yield* blocksOf(reader, pipe.read(reader.columns), 0, options);
  for (const warning of pipe.warnings) options.onWarning?.(warning);
}

/** @param first position of the file's first query among all */
async function* blocksOf<T>(
  reader: QueryReader<T>,
  chunks: AsyncIterable<Chunk>,
  first: number,
  { from = 0, to = Infinity, signal }: QueryStreamOptions,
): QueryBlocks<T> {
  for await (const chunk of chunks) {
    signal?.throwIfAborted();
    const start = first + chunk.firstRow;
    const [low, high] = [Math.max(from - start, 0), Math.min(to - start, chunk.rows)];
    if (low < high) yield reader.read(chunk, low, high);
    if (start + chunk.rows >= to) return;
  }
}

interface VectorQueryOptions {
  /** Must be in every file. Default: the preferred one if it has vectors, else as in a build. */
  readonly vectorColumn?: string | undefined;
  readonly preferredColumn: string;
  readonly dim: number;
  readonly metric: Metric;
}

/** Reads checked vectors, `dim` values each. @throws bad_rows, dimension_mismatch, column_missing, ... */
export function vectorReader(options: VectorQueryOptions): StartReader<Float32Array> {
  return (path, fields) => new VectorQueries(path, fields, options);
}

class VectorQueries implements QueryReader<Float32Array> {
  readonly columns: readonly number[];
  private readonly rows: VectorRows;

  constructor(
    private readonly path: string,
    fields: readonly ArrowField[],
    private readonly options: VectorQueryOptions,
  ) {
    const { vectorColumn, preferredColumn, dim, metric } = options;
    const preferred = fields.find(({ name, type }) => name === preferredColumn && isVectorType(type))?.name;
    const field = chooseVector(path, fields, vectorColumn ?? preferred);
    const size = componentsOf(field.type)?.size ?? null;
    if (size !== null && size !== dim) {
      const message = `${path}: the queries of column ${JSON.stringify(field.name)} have ${size} components, but the index has ${dim}`;
      throw new ShortlistError('dimension_mismatch', message, { file: path, dim: size, expected: dim });
    }
    this.columns = [fields.indexOf(field)];
    this.rows = new VectorRows(metric, dim, 'the index');
  }

  read({ columns, firstRow, rows }: Chunk, low: number, high: number): Float32Array {
    const { dim } = this.options;
    this.rows.open(columns[0]!);
    const vectors = new Float32Array((high - low) * dim);
    const tally = new BadRowTally();
    for (let row = low; row < high; row++) {
      const fault = this.rows.copy(row, vectors, (row - low) * dim);
      if (fault === null) continue;
      const detail = this.rows.explain(row, fault);
      tally.add(fault, () => ({ file: this.path, row: firstRow + row, id: null, kind: fault, detail }));
    }
    if (tally.total === 0) return vectors;
    throw badRowsError(tally.snapshot(), rows, 'correct them or remove them from the query file');
  }
}
