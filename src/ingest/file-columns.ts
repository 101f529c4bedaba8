/**
 * The chosen columns of an input in one of its files.
 *
 * Takes the fields of the file; gives which of them to read, and turns what is read into columns of the input's
 * types: other widths are widened, and an attribute that the file lacks, or has nothing but nulls in, is null in
 * every row.
 */
import type { ArrowField, Column } from '../arrow/column.js';
import { nullColumn } from '../arrow/gather.js';
import type { Chunk } from '../arrow/read/reader.js';
import { ShortlistError } from '../base/errors.js';
import { convertColumn } from './convert-column.js';

export interface FileColumns {
  /** Positions to read: id, vector, then the attributes that the file has. */
  readonly positions: readonly number[];
  /** The attributes of a chunk, in the order of the plan. */
  attributes(chunk: Chunk): Column[];
}

/** @param fields of the file, among which the id and the vector are */
export function locateColumns(
  file: string,
  fields: readonly ArrowField[],
  chosen: { readonly id: ArrowField; readonly vector: ArrowField; readonly attributes: readonly ArrowField[] },
): FileColumns {
  const find = ({ name }: ArrowField): number => fields.findIndex((field) => field.name === name);
  const positions = [find(chosen.id), find(chosen.vector)];
  /** For each attribute, which of the columns read it is; -1 for none. */
  const read = chosen.attributes.map((attribute) => {
    const position = find(attribute);
    if (position === -1 || fields[position]!.type.kind === 'null') return -1;
    return positions.push(position) - 1;
  });
  return {
    positions,
    attributes: (chunk) =>
      chosen.attributes.map((attribute, i) => {
        const column = chunk.columns[read[i]!];
        if (column === undefined) return nullColumn(attribute.type, chunk.rows);
        return convertColumn(column, attribute.type, (row) => {
          const label = fields[positions[read[i]!]!]!.label;
          return timeBeyondRange(file, chunk.firstRow + row, attribute, label);
        });
      }),
  };
}

function timeBeyondRange(file: string, row: number, { name, label }: ArrowField, from: string): ShortlistError {
  const message = `${file} row ${row}: the time in column ${JSON.stringify(name)} (${from}) is beyond the range of ${label}, the type that all files have in common; cast the column to one unit before the files are written`;
  return new ShortlistError('schema_mismatch', message, { file, row, column: name, type: from, common_type: label });
}
