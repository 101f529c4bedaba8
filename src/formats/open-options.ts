/** What the caller knows about a file that does not name its columns. Files that do ignore it. */

export interface OpenOptions {
  /** Name of the column of vectors; of an HDF5 file, also the dataset to read. Default: DEFAULT_VECTOR_NAME. */
  readonly vectorColumn?: string | undefined;
  /** Name of a column of ids. Default: DEFAULT_ID_NAME. */
  readonly idColumn?: string | undefined;
  /**
   * What the rows are for; default `items`. An HDF5 file has a dataset for items and one for queries. For `ids`,
   * vectors of one integer are integers.
   */
  readonly purpose?: 'items' | 'queries' | 'ids' | undefined;
}

export const DEFAULT_VECTOR_NAME = 'embedding';
export const DEFAULT_ID_NAME = 'id';
