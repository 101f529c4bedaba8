/**
 * Which nodes and buffers of a batch belong to which column. The format lists them flat in depth-first order and says
 * nothing else, so every column is walked, even one whose type is not read.
 */
import type { SchemaField } from '../arrow-type.js';
import { corrupt, placeFault } from '../fault.js';
import { readBufferRange, readNode, readVariadicCount, type BatchHead, type BufferRange } from '../frame/message.js';

/** One array of a batch: a column, or the items of one. */
export interface ArrayLayout {
  readonly length: number;
  /** Nulls by the writer's count; -1 if it did not count. With 0 the bitmap must be ignored. */
  readonly nulls: number;
  /** In the format's order: validity first if the type has one; absent buffers are empty ranges. */
  readonly buffers: readonly BufferRange[];
  readonly children: readonly ArrayLayout[];
}

/** The arrays of the batch, one a field. */
export function readLayouts(fields: readonly SchemaField[], head: BatchHead): ArrayLayout[] {
  const cursor: Cursor = { head, node: 0, buffer: 0, variadic: 0 };
  return fields.map((field) => {
    const layout = readLayout(field, cursor);
    if (layout.length !== head.rows) {
      throw placeFault(`column '${field.name}'`, corrupt(`it has ${layout.length} values for ${head.rows} rows`));
    }
    return layout;
  });
}

interface Cursor {
  readonly head: BatchHead;
  node: number;
  buffer: number;
  variadic: number;
}

function readLayout(field: SchemaField, cursor: Cursor): ArrayLayout {
  const node = readNode(cursor.head, cursor.node++);
  const buffers: BufferRange[] = [];
  for (let count = bufferCount(field, cursor); count > 0; count--) {
    buffers.push(readBufferRange(cursor.head, cursor.buffer++));
  }
  const children = field.dictionary === null ? field.children.map((child) => readLayout(child, cursor)) : [];
  return { ...node, buffers, children };
}

function bufferCount(field: SchemaField, cursor: Cursor): number {
  const type = field.type;
  if (field.dictionary !== null) return 2;
  switch (type.id) {
    case 'null':
    case 'run_end_encoded':
      return 0;
    case 'struct':
    case 'fixed_size_list':
      return 1;
    case 'utf8':
    case 'binary':
      return type.layout === 'view' ? 2 + readVariadicCount(cursor.head, cursor.variadic++) : 3;
    case 'list_view':
      return 3;
    case 'union':
      // Until metadata V4 unions had a bitmap of their own.
      return (type.dense ? 2 : 1) + (cursor.head.version === 4 ? 1 : 0);
    default:
      return 2;
  }
}
