/**
 * Queries one block after the other, from files or from a pipe, in memory for one chunk. Takes paths, or the bytes of
 * an Arrow stream; gives blocks of checked vectors in input order. Bad rows are errors, as in read-queries.ts, of the
 * first chunk that has some.
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

export interface QueryStreamOptions {
  /** Must be in every file. Default: the preferred one if it has vectors, else as in a build. */
  readonly vectorColumn?: string | undefined;
  readonly preferredColumn: string;
  readonly dim: number;
  readonly metric: Metric;
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

/** Blocks of whole vectors, `dim` values each. */
type QueryBlocks = AsyncGenerator<Float32Array, void, undefined>;

export async function* streamFiles({ files }: QueryFiles, options: QueryStreamOptions): QueryBlocks {
  const { from = 0, to = Infinity } = options;
  let first = 0;
  for (const { path, rows } of files) {
    if (first + rows > from && first < to) {
      const reader = await openQueries(path, options.vectorColumn);
      try {
        const check = new QueryCheck(path, reader.fields, options);
        yield* check.blocks(reader.read([check.position]), first);
      } finally {
        await reader.close();
      }
    }
    first += rows;
  }
}

/** @param name stands for the path in messages */
export async function* streamPipe(
  name: string,
  bytes: AsyncIterable<Uint8Array>,
  options: QueryStreamOptions,
): QueryBlocks {
  const pipe = await openArrowPipe(name, bytes);
  const check = new QueryCheck(name, pipe.fields, options);
  yield* check.blocks(pipe.read([check.position]), 0);
  for (const warning of pipe.warnings) options.onWarning?.(warning);
}

class QueryCheck {
  /** Position of the vector column. */
  readonly position: number;
  private readonly rows: VectorRows;

  constructor(
    private readonly path: string,
    fields: readonly ArrowField[],
    private readonly options: QueryStreamOptions,
  ) {
    const { vectorColumn, preferredColumn, dim, metric } = options;
    const preferred = fields.find(({ name, type }) => name === preferredColumn && isVectorType(type))?.name;
    const field = chooseVector(path, fields, vectorColumn ?? preferred);
    const size = componentsOf(field.type)?.size ?? null;
    if (size !== null && size !== dim) {
      const message = `${path}: the queries of column ${JSON.stringify(field.name)} have ${size} components, but the index has ${dim}`;
      throw new ShortlistError('dimension_mismatch', message, { file: path, dim: size, expected: dim });
    }
    this.position = fields.indexOf(field);
    this.rows = new VectorRows(metric, dim, 'the index');
  }

  /** @param first position of the file's first query among all */
  async *blocks(chunks: AsyncIterable<Chunk>, first: number): QueryBlocks {
    const { from = 0, to = Infinity, signal } = this.options;
    for await (const chunk of chunks) {
      signal?.throwIfAborted();
      const start = first + chunk.firstRow;
      const [low, high] = [Math.max(from - start, 0), Math.min(to - start, chunk.rows)];
      if (low < high) yield this.vectorsOf(chunk, low, high);
      if (start + chunk.rows >= to) return;
    }
  }

  private vectorsOf({ columns, firstRow, rows }: Chunk, low: number, high: number): Float32Array {
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
