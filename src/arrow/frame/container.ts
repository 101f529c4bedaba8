/**
 * Where the schema, the dictionaries and the batches of a file or stream are: read from metadata alone, bodies are
 * hopped over. What the two formats have in common; file-container.ts and stream-container.ts read them.
 */
import { corrupt, placeFault } from '../fault.js';
import type { AnyHead } from './message.js';
import type { Schema } from './schema.js';
import type { ArrowFormat } from './sniff.js';

/** One dictionary or record batch, by its place. Kept small: a file may have a million of them. */
export interface MessagePlace {
  readonly kind: 'dictionary' | 'batch';
  /** Number among the messages of its kind, for messages to people. */
  readonly number: number;
  readonly metadataPosition: number;
  readonly metadataBytes: number;
  readonly bodyPosition: number;
  readonly bodyBytes: number;
}

export interface Container {
  readonly format: ArrowFormat;
  readonly schema: Schema;
  /** In the order in which they are to be read. */
  readonly places: readonly MessagePlace[];
  readonly rows: number;
  /** What is odd and no fault, as clauses: `the stream has no end-of-stream marker`. */
  readonly warnings: readonly string[];
}

/** Looks at each batch once while the container is opened, to refuse what contradicts itself. */
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
  if (!Number.isSafeInteger(sum)) throw corrupt('its batches claim more rows than can be counted');
  return sum;
}
