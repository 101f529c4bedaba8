/** The stream format: one message behind the other. Fails where the end-of-stream marker is missing. */
import { MAX_METADATA_BYTES } from './bounds.js';
import type { ByteSource } from './byte-source.js';
import { addRows, checkBatch, type BatchCheck, type Container, type MessagePlace } from './container.js';
import { ArrowFault, corrupt, unsupported } from './fault.js';
import { FlatBytes } from './flatbuffer.js';
import { decodeHead, decodeMessage, decodePrefix, PREFIX_BYTES, type Message } from './message.js';
import { decodeSchema } from './schema.js';

/** Whether the source begins with a schema message: how streams of before Arrow 0.15 are told from everything else. */
export async function beginsWithSchema(source: ByteSource): Promise<boolean> {
  try {
    return (await readStreamMessage(source, 0))?.message.kind === 'schema';
  } catch (error) {
    if (error instanceof ArrowFault) return false;
    throw error;
  }
}

export async function readStreamContainer(source: ByteSource, check: BatchCheck): Promise<Container> {
  let next = await readStreamMessage(source, 0);
  if (next === null) throw corrupt('the stream ends before its schema');
  if (next.message.kind === 'tensor')
    throw unsupported('it holds a tensor, not a table; write a table with a vector column');
  if (next.message.kind !== 'schema') throw corrupt('the stream does not begin with its schema');
  const schema = decodeSchema(next.message.header);
  const places: MessagePlace[] = [];
  const counts = { dictionary: 0, batch: 0 };
  let rows = 0;
  for (;;) {
    next = await readStreamMessage(source, next.end);
    if (next === null) return { format: 'stream', schema, places, rows };
    const { message } = next;
    if (message.kind !== 'dictionary' && message.kind !== 'batch') {
      throw corrupt(`the stream has a ${message.kind} message among its batches`);
    }
    const place: MessagePlace = { ...next.place, kind: message.kind, number: counts[message.kind]++ };
    const head = decodeHead(message);
    checkBatch(check, schema, place, head);
    places.push(place);
    rows = addRows(rows, head);
  }
}

interface StreamMessage {
  readonly message: Message;
  readonly place: Omit<MessagePlace, 'kind' | 'number'>;
  readonly end: number;
}

/** Metadata is mostly shorter than this, so framing and metadata take one read. */
const STREAM_READ_BYTES = 4_096;

/** @returns null at the end-of-stream marker, once it is known that nothing follows. */
async function readStreamMessage(source: ByteSource, position: number): Promise<StreamMessage | null> {
  const left = source.size - position;
  if (left < 4) throw corrupt(missingEnd(position, left));
  const framed = await source.read(position, Math.min(left, STREAM_READ_BYTES));
  if (left < PREFIX_BYTES && !isLegacyEnd(framed)) throw corrupt(missingEnd(position, left));
  const { start, metadataBytes } = decodePrefix(framed);
  if (metadataBytes === 0) return checkEnd(position + start, source.size);
  if (metadataBytes > MAX_METADATA_BYTES || start + metadataBytes > left) {
    throw corrupt(`the message at byte ${position} says that it has ${metadataBytes} bytes of metadata`);
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
  return new FlatBytes(framed).uint32(0) === 0;
}

function missingEnd(position: number, left: number): string {
  if (left > 0) return `${left} stray bytes stand where a message should begin, at byte ${position}`;
  return 'the stream has no end-of-stream marker, so nobody can tell whether batches are missing';
}

/** Streams that were joined byte by byte would otherwise be read up to the first end only, without a word. */
function checkEnd(end: number, size: number): null {
  if (end !== size) throw corrupt(`${size - end} bytes follow the end-of-stream marker`);
  return null;
}
