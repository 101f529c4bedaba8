/**
 * Queries that are lists of items, such as what each user looked at lately: one row is one search with seeds. Takes a
 * column of lists of ids and, if there are any, columns of lists of weights and quotas, which have one number for each
 * id. Null rows and empty lists are queries without seeds. Fails on other types, on lists of different lengths, and on
 * numbers that no seed may have, naming file and row.
 */
import type { ArrowField, Column } from '../arrow/column.js';
import { columnValue } from '../arrow/column-value.js';
import type { Chunk } from '../arrow/read/table-reader.js';
import { ShortlistError } from '../base/errors.js';
import { MAX_K, MAX_SEEDS } from '../base/limits.js';
import type { QueryReader } from './query-stream.js';

export interface SeedColumns {
  readonly ids: string;
  readonly weights?: string | undefined;
  readonly quotas?: string | undefined;
}

/** One seed of a query. A null id is that of no item. */
export interface SeedRow {
  readonly id: string | null;
  readonly weight: number;
  readonly quota: number | undefined;
}

/** @throws column_missing, column_type */
export function seedReader(names: SeedColumns) {
  return (path: string, fields: readonly ArrowField[]): QueryReader<SeedRow[][]> =>
    new SeedQueries(path, fields, names);
}

type Lists = Column & { readonly shape: 'lists' };

class SeedQueries implements QueryReader<SeedRow[][]> {
  readonly columns: readonly number[];

  constructor(
    private readonly path: string,
    fields: readonly ArrowField[],
    private readonly names: SeedColumns,
  ) {
    const { ids, weights, quotas } = names;
    const numbers = [weights, quotas].filter((name) => name !== undefined);
    this.columns = [this.find(fields, ids, 'ids'), ...numbers.map((name) => this.find(fields, name, 'numbers'))];
  }

  /** The seeds of each row. */
  read({ columns, firstRow }: Chunk, low: number, high: number): SeedRow[][] {
    const rest = columns.slice(1) as Lists[];
    const weights = this.names.weights === undefined ? null : rest.shift()!;
    const quotas = this.names.quotas === undefined ? null : rest.shift()!;
    const queries: SeedRow[][] = [];
    for (let row = low; row < high; row++) queries.push(this.seedsOf(columns[0] as Lists, weights, quotas, row, firstRow));
    return queries;
  } // prettier-ignore

  private seedsOf(ids: Lists, weights: Lists | null, quotas: Lists | null, row: number, firstRow: number): SeedRow[] {
    const [from, count] = extentOf(ids, row);
    const fail = (what: string): never => this.fail(firstRow + row, what);
    if (count > MAX_SEEDS) fail(`has ${count} seeds; a search has at most ${MAX_SEEDS}`);
    for (const [lists, name] of [[weights, this.names.weights], [quotas, this.names.quotas]] as const) {
      const other = lists === null ? count : extentOf(lists, row)[1];
      if (other !== count) fail(`has ${count} ids and ${other} numbers in ${JSON.stringify(name)}`);
    } // prettier-ignore
    return Array.from({ length: count }, (_, i) => {
      const value = columnValue(ids.items, from + i);
      const weight = weights === null ? 1 : numberAt(weights, row, i);
      const quota = quotas === null ? undefined : numberAt(quotas, row, i);
      if (weight === null || !(weight > 0 && weight < Infinity)) return fail(`has the weight ${weight}; weights are finite and above 0`); // prettier-ignore
      if (quota === null || (quota !== undefined && !(Number.isInteger(quota) && quota >= 1 && quota <= MAX_K)))
        return fail(`has the quota ${quota}; quotas are whole numbers from 1 to ${MAX_K}`);
      return { id: value === null ? null : String(value), weight, quota };
    });
  }

  private find(fields: readonly ArrowField[], name: string, what: 'ids' | 'numbers'): number {
    const position = fields.findIndex((field) => field.name === name);
    const field = fields[position];
    if (field === undefined) {
      const message = `${this.path} has no column ${JSON.stringify(name)}; its columns are ${fields.map((known) => known.name).join(', ')}`;
      throw new ShortlistError('column_missing', message, { file: this.path, column: name });
    }
    const item = field.type.kind === 'list' ? field.type.item.kind : 'none';
    const fits = what === 'ids' ? ['utf8', 'bytes16', 'int'].includes(item) : ['int', 'float'].includes(item);
    if (fits) return position;
    const message = `${this.path}: column ${JSON.stringify(name)} is ${field.label}; seeds need a list of ${what === 'ids' ? 'texts or integers' : 'numbers'}`;
    throw new ShortlistError('column_type', message, { file: this.path, column: name });
  }

  private fail(row: number, what: string): never {
    const message = `${this.path} row ${row} ${what}; correct it or remove it from the query file`;
    throw new ShortlistError('input_unsupported', message, { file: this.path, row });
  }
}

/** First item and number of items of a list; none for null. */
function extentOf({ valid, offsets }: Lists, row: number): [number, number] {
  return valid !== null && valid[row] === 0 ? [0, 0] : [offsets[row]!, offsets[row + 1]! - offsets[row]!];
}

function numberAt({ offsets, items }: Lists, row: number, position: number): number | null {
  const at = offsets[row]! + position;
  if (items.shape !== 'numbers' || (items.valid !== null && items.valid[at] === 0)) return null;
  return Number(items.values[at]!);
}
