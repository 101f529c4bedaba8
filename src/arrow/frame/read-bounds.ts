/**
 * How much of an Arrow source may be read, and how reading shares the thread. A file is read by a program of its own
 * and may be of any size. A client's bytes are read beside other requests, and only their values may be large.
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
  /** Most metadata of all messages of a stream, and of one: every byte of it may cause work. */
  readonly metadataBytes: number;
  readonly messageMetadataBytes: number;
  /** Most fields of a schema, children included, and most metadata pairs. */
  readonly schemaItems: number;
  /** Whether dictionaries of the columns read may be used. Deltas are joined again for each batch. */
  readonly dictionaries: boolean;
  /** Bytes that one chunk aims at over all its columns. */
  readonly chunkBytes: number;
  /** Largest single value. */
  readonly valueBytes: number;
  /** Largest decompressed buffer. */
  readonly bufferBytes: number;
  /** Called with the size of a buffer before it is decompressed. @throws to refuse it */
  readonly onDecompress: (bytes: number) => void;
  /** Awaited between steps of bounded size, so that other work gets the thread. */
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
  onDecompress: () => undefined,
  turn: () => Promise.resolve(),
};
