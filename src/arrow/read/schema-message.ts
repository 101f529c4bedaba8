/** The schema in one encapsulated Arrow message, as other formats carry it in their metadata. */
import { columnTypeOf, labelOf, type SchemaField } from '../arrow-type.js';
import type { ArrowField } from '../column.js';
import { decodeMessage, decodePrefix } from '../frame/message.js';
import { decodeSchema } from '../frame/schema.js';

/** @param bytes with the prefix of a stream @throws ArrowFault */
export function readSchemaMessage(bytes: Uint8Array): ArrowField[] {
  const { start, metadataBytes } = decodePrefix(bytes);
  const message = decodeMessage(bytes.subarray(start, start + metadataBytes));
  return decodeSchema(message.header).fields.map(fieldOf);
}

export function fieldOf(field: SchemaField): ArrowField {
  return { name: field.name, type: columnTypeOf(field), nullable: field.nullable, label: labelOf(field) };
}
