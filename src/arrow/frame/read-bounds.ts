/**
 * How much of an Arrow source is taken, and how its reading shares the thread. A file is read by a program of its own
 * and may be of any size; bytes of a client are read beside other requests, and are to be small in every respect but
 * their values.
 */
import {
  CHUNK_BYTES,
  MAX_DECOMPRESSED_BYTES,
  MAX_METADATA_BYTES,
  MAX_SCHEMA_ITEMS,
  MAX_VALUE_BYTES,
} from '../bounds.js';

export interface ReadBounds {
  /** Most dictionary and record batches of a stream. */
  readonly messages: number;
  /**
   * Most metadata of all messages of a stream, and of one: every byte of it may stand for something that is looked
   * at.
   */
  readonly metadataBytes: number;
  readonly messageMetadataBytes: number;
  /** Most fields of a schema, children included, and most metadata pairs. */
  readonly schemaItems: number;
  /** Whether dictionaries of columns that are read are read. Deltas of one are joined again for each batch. */
  readonly dictionaries: boolean;
  /** Bytes that one chunk aims at over all its columns. */
  readonly chunkBytes: number;
  /** Largest single value. */
  readonly valueBytes: number;
  /** Largest decompressed buffer. */
  readonly bufferBytes: number;
  /** Told before a buffer is decompressed to so many bytes. @throws to refuse it */
  readonly unfold: (bytes: number) => void;
  /** Awaited between steps of bounded size: gives others their turn where one is due. */
  readonly turn: () => Promise<void>;
}

export const FILE_BOUNDS: ReadBounds = {
  messages: Infinity,
  metadataBytes: Infinity,
  messageMetadataBytes: MAX_METADATA_BYTES,
  schemaItems: MAX_SCHEMA_ITEMS,
  dictionaries: true,
  chunkBytes: CHUNK_BYTES,
  valueBytes: MAX_VALUE_BYTES,
  bufferBytes: MAX_DECOMPRESSED_BYTES,
  unfold: () => undefined,
  turn: () => Promise.resolve(),
};
