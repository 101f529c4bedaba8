/**
 * Arrow types and values in the few shapes that the rest of shortlist uses. Physical variants (utf8, large_utf8,
 * utf8_view and dictionaries of them, arrow.uuid as text; list, large_list, fixed_size_list) are decoded to one shape
 * each. Only `label` tells them apart.
 */

export type IntegerWidth = 8 | 16 | 32 | 64;

export type ColumnType =
  | { readonly kind: 'bool' }
  | { readonly kind: 'int'; readonly bits: IntegerWidth; readonly signed: boolean }
  | { readonly kind: 'float'; readonly bits: 16 | 32 | 64 }
  | { readonly kind: 'utf8' }
  | { readonly kind: 'date'; readonly unit: 'day' | 'ms' }
  | { readonly kind: 'timestamp'; readonly unit: 's' | 'ms' | 'us' | 'ns'; readonly timezone: string | null }
  /** `size` is the length of every list of a fixed_size_list, null for lists of varying length. */
  | { readonly kind: 'list'; readonly item: ColumnType; readonly size: number | null }
  /** Only nulls: writers use it for a column without any value. */
  | { readonly kind: 'null' }
  /** Read as the nearest float64, whatever its width. */
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  /** fixed_size_binary(16) without a meaning; read as the text of a UUID, 8-4-4-4-12 hexadecimal digits. */
  | { readonly kind: 'bytes16' }
  /** A type that is not read; `label` names it. */
  | { readonly kind: 'other' };

export interface ArrowField {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** The Arrow type as pyarrow prints it, dictionaries included: `fixed_size_list<float>[768]`. For messages. */
  readonly label: string;
}

/** 1 if a row has a value, 0 if it is null; null if every row has one. */
export type Validity = Uint8Array | null;

export type NumberArray =
  | Int8Array | Int16Array | Int32Array | BigInt64Array
  | Uint8Array | Uint16Array | Uint32Array | BigUint64Array
  | Float32Array | Float64Array; // prettier-ignore

/** Values of consecutive rows of one column. The values of null rows are undefined. */
export type Column =
  /**
   * int, float, date, timestamp, decimal: one value a row, in the array of the Arrow type (float16 is widened to
   * float32; date32 is Int32Array of days, date64 and timestamps BigInt64Array; decimals are Float64Array).
   */
  | { readonly shape: 'numbers'; readonly type: ColumnType; readonly rows: number; readonly valid: Validity; readonly values: NumberArray }
  /** bool: 0 or 1 a row. Also null, whose rows are all null. */
  | { readonly shape: 'bools'; readonly type: ColumnType; readonly rows: number; readonly valid: Validity; readonly values: Uint8Array }
  /** utf8, bytes16: row r is bytes[offsets[r] .. offsets[r + 1]), checked to be in order and inside `bytes`. */
  | { readonly shape: 'strings'; readonly type: ColumnType; readonly rows: number; readonly valid: Validity; readonly offsets: Uint32Array; readonly bytes: Uint8Array }
  /** list: row r is items [offsets[r] .. offsets[r + 1]) of `items`, checked as for strings. */
  | { readonly shape: 'lists'; readonly type: ColumnType; readonly rows: number; readonly valid: Validity; readonly offsets: Uint32Array; readonly items: Column }; // prettier-ignore
