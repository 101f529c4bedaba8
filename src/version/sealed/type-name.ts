/** Column types as the manifest writes them: `int64`, `utf8`, `timestamp[us, tz=UTC]`, `list<int32>`. */
import type { ColumnType, IntegerWidth } from '../../arrow/column.js';
import type { IdType } from '../../base/id-table.js';

export function typeName(type: ColumnType): string {
  switch (type.kind) {
    case 'bool':
    case 'utf8':
    case 'null':
    case 'decimal':
    case 'bytes16':
    case 'other':
      return type.kind;
    case 'int':
      return `${type.signed ? '' : 'u'}int${type.bits}`;
    case 'float':
      return `float${type.bits}`;
    case 'date':
      return type.unit === 'day' ? 'date32' : 'date64';
    case 'timestamp':
      return type.timezone === null ? `timestamp[${type.unit}]` : `timestamp[${type.unit}, tz=${type.timezone}]`;
    case 'list':
      return type.size === null
        ? `list<${typeName(type.item)}>`
        : `fixed_size_list<${typeName(type.item)}>[${type.size}]`;
  }
}

/** The names of types that ids may have. */
export const ID_TYPE_PATTERN = /^(?:utf8|u?int(?:8|16|32|64))$/;

/** @param name matches ID_TYPE_PATTERN */
export function idTypeOf(name: string): IdType {
  if (name === 'utf8') return { kind: 'utf8' };
  const signed = !name.startsWith('u');
  return { kind: 'int', bits: Number(name.slice(signed ? 3 : 4)) as IntegerWidth, signed };
}
