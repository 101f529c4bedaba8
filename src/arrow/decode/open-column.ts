/** Opens a column: from a field and its place in a batch to a source of rows. */
import { columnTypeOf, type SchemaField } from '../arrow-type.js';
import type { BatchBody } from '../frame/batch-body.js';
import type { ColumnSource } from './column-source.js';
import { openDictionaryRows, type DictionaryStore } from './dictionary.js';
import { openDecimals } from './decimals.js';
import { openBools, openNulls, openNumbers } from './fixed-width.js';
import type { ArrayLayout } from './layout.js';
import { openFixedSizeLists, openLists } from './lists.js';
import { openStringViews } from './string-views.js';
import { openStrings } from './strings.js';
import { openUuids } from './uuids.js';

/**
 * @param field whose column type is not `other`
 * @throws ArrowFault `input_corrupt` if the buffers cannot hold the rows; reads nothing
 */
export function openColumn(
  field: SchemaField,
  layout: ArrayLayout,
  body: BatchBody,
  dictionaries: DictionaryStore,
): ColumnSource {
  const type = columnTypeOf(field);
  if (field.dictionary !== null) return openDictionaryRows(type, field.dictionary, layout, body, dictionaries);
  const openItems = (): ColumnSource => openColumn(field.children[0]!, layout.children[0]!, body, dictionaries);
  switch (field.type.id) {
    case 'null':
      return openNulls(type, layout);
    case 'decimal':
      return openDecimals(type, field.type.bits, layout, body);
    case 'fixed_size_binary':
      return openUuids(type, layout, body);
    case 'bool':
      return openBools(type, layout, body);
    case 'int':
    case 'float':
    case 'date':
    case 'timestamp':
      return openNumbers(type, layout, body);
    case 'utf8':
      if (field.type.layout === 'view') return openStringViews(type, layout, body);
      return openStrings(type, layout, field.type.layout === 'large', body);
    case 'list':
      return openLists(type, layout, field.type.large, body, openItems());
    case 'fixed_size_list':
      return openFixedSizeLists(type, layout, field.type.size, body, openItems());
    default:
      throw new TypeError(`columns of type ${field.type.id} are not read`);
  }
}
