/** An opened file of columns, whatever its format. Its schema and size are known; values are read on demand. */
import type { ArrowField, Column } from '../column.js';
import type { ListExtents } from '../decode/column-source.js';

/** Consecutive rows of the requested columns, in the requested order. */
export interface Chunk {
  /** Position of the first row in the file. */
  readonly firstRow: number;
  readonly rows: number;
  readonly columns: readonly Column[];
}

/** The extents of consecutive rows of one list column. */
export interface ExtentChunk extends ListExtents {
  /** Position of the first row in the file. */
  readonly firstRow: number;
}

export interface TableReader {
  readonly path: string;
  readonly bytes: number;
  /** Whether the file names its columns. If not, it is one array, and `fields` has the name that the caller gave it. */
  readonly namesColumns: boolean;
  readonly fields: readonly ArrowField[];
  readonly rows: number;
  /** Oddities that are no faults, one sentence each, naming the file. */
  readonly warnings: readonly string[];
  /** Reads the columns at these positions of `fields`, in chunks of bounded size. */
  read(columns: readonly number[]): AsyncGenerator<Chunk, void, undefined>;
  /** Where the items of the list column at this position are, row by row. */
  readExtents(column: number): AsyncGenerator<ExtentChunk, void, undefined>;
  close(): Promise<void>;
}
