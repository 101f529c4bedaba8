import type { ArrowField, Column } from './column.js';

/** Consecutive rows of the columns asked for, in the order asked. */
export interface Chunk {
  /** Position of the first row in the file. */
  readonly firstRow: number;
  readonly rows: number;
  readonly columns: readonly Column[];
}

/** One Arrow file, opened: its schema and size are known and checked, its values are read on demand. */
export interface ArrowReader {
  readonly path: string;
  readonly format: 'file' | 'stream';
  readonly bytes: number;
  readonly fields: readonly ArrowField[];
  /** Rows of all record batches. */
  readonly rows: number;
  /** Reads the columns at these positions of `fields`, in chunks of bounded size whatever the size of the batches. */
  read(columns: readonly number[]): AsyncGenerator<Chunk, void, undefined>;
  close(): Promise<void>;
}
