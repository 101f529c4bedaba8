/**
 * Where the schema, dictionaries and batches of a file or stream are. Only metadata is read, and bodies are skipped.
 * Has what both formats share; file-container.ts and stream-container.ts read them.
 */
import { corrupt, placeFault } from '../fault.js';
import type { AnyHead } from './message.js';
import type { Schema } from './schema.js';
import type { ArrowFormat } from './sniff.js';

/** Where one dictionary or record batch is. Kept small: a file may have a million of them. */
export interface MessagePlace {
  readonly kind: 'dictionary' | 'batch';
  /** Position among the messages of its kind, for messages to people. */
  readonly number: number;
  readonly metadataPosition: number;
  readonly metadataBytes: number;
  readonly bodyPosition: number;
  readonly bodyBytes: number;
}

export interface Container {
  readonly format: ArrowFormat;
  readonly schema: Schema;
  /** In the order of reading. */
  readonly places: readonly MessagePlace[];
  readonly rows: number;
  /** Oddities that are no faults, as clauses: `the stream ends without its end-of-stream marker`. */
  readonly warnings: readonly string[];
}

/** Called for each batch while the container is opened; refuses contradictions. */
export type BatchCheck = (schema: Schema, head: AnyHead) => void;

export function checkBatch(check: BatchCheck, schema: Schema, place: MessagePlace, head: AnyHead): void {
  try {
    check(schema, head);
  } catch (error) {
    throw placeFault(`${place.kind} ${place.number}`, error, { [place.kind]: place.number });
  }
}

export function addRows(rows: number, head: AnyHead): number {
  const sum = 'values' in head ? rows : rows + head.rows;
  if (!Number.isSafeInteger(sum)) throw corrupt('its batches declare more rows than can be counted');
  return sum;
}
