/** Cuts the rows of one batch into chunks of bounded size, whatever the columns hold. */
import { CHUNK_ROWS } from '../bounds.js';
import type { Column } from '../column.js';
import type { ColumnSource } from '../decode/column-source.js';
import { placeFault, unsupported } from '../fault.js';
import type { ReadBounds } from '../frame/read-bounds.js';

/** A record batch with its requested columns open. */
export interface OpenBatch {
  /** Among the record batches of the file. */
  readonly number: number;
  readonly rows: number;
  readonly columns: readonly OpenColumn[];
}

export interface OpenColumn {
  readonly name: string;
  readonly source: ColumnSource;
}

/** A chunk may exceed its target by this much: cutting it again would cost more than it saves. */
const FIT_SLACK = 1.25;

/** Yields consecutive rows of all columns until the end of the batch. */
export async function* readChunks(batch: OpenBatch, bounds: ReadBounds): AsyncGenerator<Column[], void, undefined> {
  let guess = CHUNK_ROWS;
  for (let start = 0; start < batch.rows;) {
    await bounds.turn();
    const fit = await fitRows(batch, bounds, start, Math.min(guess, CHUNK_ROWS, batch.rows - start));
    yield await eachColumn(batch, (source) => source.read(start, fit.rows));
    start += fit.rows;
    guess = fit.nextGuess;
  }
}

interface Fit {
  readonly rows: number;
  /** How many rows the next chunk may have if its rows are like these. */
  readonly nextGuess: number;
}

/** How many rows from `start` on make up one chunk: from 1, however large that is, to `max`. */
async function fitRows(batch: OpenBatch, bounds: ReadBounds, start: number, max: number): Promise<Fit> {
  for (let rows = max; ;) {
    const sizes = await eachColumn(batch, (source) => source.measure(start, rows));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    const nextGuess = Math.max(1, Math.floor((rows * bounds.chunkBytes) / Math.max(1, bytes)));
    if (rows === 1) sizes.forEach((size, i) => checkValueSize(batch, bounds, batch.columns[i]!, start, size));
    if (rows === 1 || bytes <= bounds.chunkBytes * FIT_SLACK) return { rows, nextGuess };
    rows = Math.min(rows - 1, nextGuess);
  }
}

function checkValueSize(
  batch: OpenBatch,
  { valueBytes }: ReadBounds,
  column: OpenColumn,
  row: number,
  size: number,
): void {
  if (size <= valueBytes) return;
  const what = `value ${row} has ${size} bytes; at most ${valueBytes} are read: shorten it or leave it out`;
  throw placeColumn(batch, column, unsupported(what));
}

async function eachColumn<T>(batch: OpenBatch, action: (source: ColumnSource) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (const column of batch.columns) {
    try {
      results.push(await action(column.source));
    } catch (error) {
      throw placeColumn(batch, column, error);
    }
  }
  return results;
}

/** The fault with its batch and column. */
export function placeColumn(batch: OpenBatch, column: OpenColumn, error: unknown): unknown {
  const details = { batch: batch.number, column: column.name };
  return placeFault(`record batch ${batch.number}, column '${column.name}'`, error, details);
}
