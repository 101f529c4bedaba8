/**
 * Opens a file of columns, whatever its format. Its first bytes decide, not its name, but for the formats that have no
 * first bytes of their own: these go by the ending of the name (flat/endings.ts). Readers load when needed.
 */
import { openArrow } from '../arrow/read/reader.js';
import type { TableReader } from '../arrow/read/table-reader.js';
import { arrayKindOf } from './flat/endings.js';
import { formatOf } from './magic.js';
import type { OpenOptions } from './open-options.js';

export async function openTable(path: string, options: OpenOptions = {}): Promise<TableReader> {
  const array = arrayKindOf(path);
  if (array?.layout === 'vecs') return (await import('./flat/vecs.js')).openVecs(path, array.values, options);
  if (array?.layout === 'bin') return (await import('./flat/bin.js')).openBin(path, array.values, options);
  switch (await formatOf(path)) {
    case 'parquet':
      return (await import('./parquet/reader.js')).openParquet(path);
    case 'npy':
      return (await import('./flat/npy.js')).openNpy(path, options);
    case 'hdf5':
      return (await import('./hdf5/reader.js')).openHdf5(path, options);
    default:
      return openArrow(path);
  }
}

/** Opens a file of ids: of any format, or a text file with one id a line. */
export async function openIdTable(path: string, idColumn: string): Promise<TableReader> {
  const isText = arrayKindOf(path) === null && (await formatOf(path)) === null;
  if (isText) return (await import('./flat/id-lines.js')).openIdLines(path, idColumn);
  return openTable(path, { idColumn, purpose: 'ids' });
}
