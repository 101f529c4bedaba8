/**
 * The stream format: messages one after the other. A stream ends with a marker or, as the format allows, after a whole
 * message; the latter is a warning, since nobody can tell whether batches are missing. An end inside a message is a
 * fault.
 */
import type { ByteSource } from './byte-source.js';
import { addRows, checkBatch, type BatchCheck, type Container, type MessagePlace } from './container.js';
import { ArrowFault, corrupt, unsupported } from '../fault.js';
import { decodeHead, decodeMessage, decodePrefix, PREFIX_BYTES, type Message } from './message.js';
import { FILE_BOUNDS, type ReadBounds } from './read-bounds.js';
import { decodeSchema } from './schema.js';

/** Whether the source starts with a schema message: only this identifies streams from before Arrow 0.15. */
export async function beginsWithSchema(source: ByteSource, bounds: ReadBounds = FILE_BOUNDS): Promise<boolean> {
  try {
    const first = await readStreamMessage(source, 0, bounds.messageMetadataBytes);
    return typeof first === 'object' && first.message.kind === 'schema';
  } catch (error) {
    if (error instanceof ArrowFault) return false;
    throw error;
  }
}

export async function readStreamContainer(
  source: ByteSource,
  check: BatchCheck,
  bounds: ReadBounds = FILE_BOUNDS,
): Promise<Container> {
  let next = await readStreamMessage(source, 0, bounds.messageMetadataBytes);
  if (typeof next !== 'object') throw corrupt('the stream ends before its schema');
  if (next.message.kind === 'tensor')
    throw unsupported('it holds a tensor, not a table; write a table with a vector column');
  if (next.message.kind !== 'schema') throw corrupt('the stream does not begin with its schema');
  const schema = decodeSchema(next.message.header, bounds.schemaItems);
  let metadataBytes = next.place.metadataBytes;
  const places: MessagePlace[] = [];
  const counts = { dictionary: 0, batch: 0 };
  let rows = 0;
  for (;;) {
    await bounds.turn();
    const position: number = next.end;
    next = await readStreamMessage(source, position, bounds.messageMetadataBytes);
    if (typeof next !== 'object') {
      return { format: 'stream', schema, places, rows, warnings: next === 'marker' ? [] : [withoutMarker(rows)] };
    }
    const { message } = next;
    if (message.kind === 'schema') {
      throw corrupt(`a second stream starts at byte ${position}: streams must not be joined byte by byte`);
    }
    if (message.kind !== 'dictionary' && message.kind !== 'batch') {
      throw corrupt(`the stream has a ${message.kind} message among its batches`);
    }
    const place: MessagePlace = { ...next.place, kind: message.kind, number: counts[message.kind]++ };
    metadataBytes += place.metadataBytes;
    if (places.length >= bounds.messages || metadataBytes > bounds.metadataBytes) throw tooManyBatches(bounds);
    const head = decodeHead(message);
    checkBatch(check, schema, place, head);
    places.push(place);
    rows = addRows(rows, head);
  }
}

/** The warning about a stream that ends where a message could follow. @param rows that were read */
export function withoutMarker(rows: number): string {
  const read = `${rows.toLocaleString('en-US')} ${rows === 1 ? 'row was' : 'rows were'} read`;
  return `the stream ends without its end-of-stream marker: its writer may have been interrupted; ${read}`;
}

/** How a stream ended: with its marker, or where its bytes do. */
type StreamEnd = 'marker' | 'bytes';

function tooManyBatches({ messages, metadataBytes }: ReadBounds): ArrowFault {
  return unsupported(
    `it has more than ${messages} batches, or more than ${metadataBytes} bytes of metadata; write its rows in one batch`,
  );
}

interface StreamMessage {
  readonly message: Message;
  readonly place: Omit<MessagePlace, 'kind' | 'number'>;
  readonly end: number;
}

/** Metadata is mostly shorter, so one read covers framing and metadata. */
const STREAM_READ_BYTES = 4_096;

/** @returns how the stream ends, if no message follows */
async function readStreamMessage(
  source: ByteSource,
  position: number,
  maxMetadata: number,
): Promise<StreamMessage | StreamEnd> {
  const left = source.size - position;
  if (left === 0) return 'bytes';
  const framed = await source.read(position, Math.min(left, STREAM_READ_BYTES));
  if (left < PREFIX_BYTES && !isLegacyEnd(framed)) {
    throw corrupt(`${left} stray bytes stand where a message should start, at byte ${position}`);
  }
  const { start, metadataBytes } = decodePrefix(framed);
  if (metadataBytes === 0) return checkEnd(position + start, source.size);
  if (metadataBytes > maxMetadata || start + metadataBytes > left) {
    throw corrupt(
      `the message at byte ${position} declares ${metadataBytes} bytes of metadata, which it does not have`,
    );
  }
  const metadataPosition = position + start;
  const metadata =
    start + metadataBytes <= framed.length
      ? framed.subarray(start, start + metadataBytes)
      : await source.read(metadataPosition, metadataBytes);
  const message = decodeMessage(metadata);
  const bodyPosition = metadataPosition + metadataBytes;
  const end = bodyPosition + message.bodyBytes;
  if (end > source.size) throw corrupt(`the message at byte ${position} is cut short`);
  return { message, place: { metadataPosition, metadataBytes, bodyPosition, bodyBytes: message.bodyBytes }, end };
}

function isLegacyEnd(framed: Uint8Array): boolean {
  return framed.length >= 4 && framed.subarray(0, 4).every((byte) => byte === 0);
}

/** Bytes after the marker are refused: of joined streams, only the first would be read, without a word. */
function checkEnd(end: number, size: number): StreamEnd {
  if (end !== size) throw corrupt(`${size - end} bytes follow the end-of-stream marker`);
  return 'marker';
}
