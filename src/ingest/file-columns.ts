/**
 * Finds the chosen columns of an input in one of its files.
 *
 * Takes the fields of the file; returns which of them to read, and converts what is read to the types of the input. An
 * attribute that the file lacks, or that is null in all its rows, is null in every row.
 */
import type { ArrowField, Column } from '../arrow/column.js';
import { nullColumn } from '../arrow/gather.js';
import type { Chunk } from '../arrow/read/table-reader.js';
import { ShortlistError } from '../base/errors.js';
import { convertColumn } from './convert-column.js';

export interface FileColumns {
  /** Positions to read: id, vector, then the attributes that the file has. */
  readonly positions: readonly number[];
  /** The attributes of a chunk, in the order of the plan. */
  attributes(chunk: Chunk): Column[];
}

/** @param fields those of the file, the id and the vector among them */
export function locateColumns(
  file: string,
  fields: readonly ArrowField[],
  chosen: { readonly id: ArrowField; readonly vector: ArrowField; readonly attributes: readonly ArrowField[] },
): FileColumns {
  const find = ({ name }: ArrowField): number => fields.findIndex((field) => field.name === name);
  const positions = [find(chosen.id), find(chosen.vector)];
  /** The position of each attribute among the columns read; -1 if it is not read. */
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
  const message = `${file} row ${row}: the time in column ${JSON.stringify(name)} (${from}) does not fit into ${label}, the type that all files have in common; write the column with one unit in all files`;
  return new ShortlistError('schema_mismatch', message, { file, row, column: name, type: from, common_type: label });
}
