/**
 * Where the schema, the dictionaries and the batches of a file or stream are.
 *
 * Takes a source and gives the list of its batches with their rows, read from metadata alone: bodies are hopped over.
 * Fails where the framing is not whole: a file without its footer, a stream without its end marker.
 */
import { MAX_METADATA_BYTES } from './bounds.js';
import type { ByteSource } from './byte-source.js';
import { ArrowFault, corrupt, placeFault, unsupported } from './fault.js';
import { FlatBytes, type FlatTable } from './flatbuffer.js';
import {
  decodeBatchHead,
  decodeDictionaryHead,
  decodeMessage,
  decodePrefix,
  decodeVersion,
  PREFIX_BYTES,
  type BatchHead,
  type DictionaryHead,
  type Message,
} from './message.js';
import { decodeSchema, type Schema } from './schema.js';
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
}

/** Looks at each batch once while the container is opened, to refuse what contradicts itself. */
export type BatchCheck = (schema: Schema, head: BatchHead | DictionaryHead) => void;

export const MAGIC_BYTES = 6; // ARROW1
const FOOTER_TAIL_BYTES = 4 + MAGIC_BYTES;
const FIRST_BLOCK = 8;
const BLOCK_BYTES = 24;

export async function readFileContainer(source: ByteSource, check: BatchCheck): Promise<Container> {
  const footer = await readFooter(source);
  checkFooterVersion(footer.table.int16(0, 0));
  const schema = decodeSchema(footer.table.requireTable(1, 'the schema in the footer'));
  const blocks = [...readBlocks(footer, 2, 'dictionary'), ...readBlocks(footer, 3, 'batch')];
  checkDisjoint(blocks);
  const places: MessagePlace[] = [];
  let rows = 0;
  for (const block of blocks) {
    const { place, head } = await readBlock(source, block);
    checkBatch(check, schema, place, head);
    places.push(place);
    rows = addRows(rows, head);
  }
  return { format: 'file', schema, places, rows };
}

/** Old writers left the footer's version out; the messages have theirs and are held to it. */
function checkFooterVersion(version: number): void {
  if (version !== 0) decodeVersion(version);
}

interface Footer {
  readonly table: FlatTable;
  readonly position: number;
}

async function readFooter(source: ByteSource): Promise<Footer> {
  const tailPosition = source.size - FOOTER_TAIL_BYTES;
  if (tailPosition < FIRST_BLOCK) throw corrupt('it is too short for a footer');
  const tail = await source.read(tailPosition, FOOTER_TAIL_BYTES);
  if (Buffer.from(tail.subarray(4)).toString('latin1') !== 'ARROW1') throw corrupt('it does not end with its footer');
  const bytes = new FlatBytes(tail).uint32(0);
  const position = tailPosition - bytes;
  if (bytes > MAX_METADATA_BYTES || position < FIRST_BLOCK) throw corrupt(`it has a footer of ${bytes} bytes`);
  return { table: new FlatBytes(await source.read(position, bytes)).rootTable(), position };
}

/** A message by the footer's account: its metadata, framing included, then its body. */
interface Block {
  readonly kind: MessagePlace['kind'];
  readonly number: number;
  readonly position: number;
  readonly metadataBytes: number;
  readonly bodyBytes: number;
}

function* readBlocks(footer: Footer, slot: number, kind: Block['kind']): Generator<Block, void, undefined> {
  const blocks = footer.table.structs(slot, BLOCK_BYTES);
  const flat = footer.table.bytes;
  for (let number = 0; number < blocks.count; number++) {
    const at = blocks.position + BLOCK_BYTES * number;
    const block = {
      kind,
      number,
      position: flat.int64(at),
      metadataBytes: flat.int32(at + 8),
      bodyBytes: flat.int64(at + 16),
    };
    const end = block.position + block.metadataBytes + block.bodyBytes;
    const isInside = block.position >= FIRST_BLOCK && end <= footer.position;
    if (!isInside || block.metadataBytes < PREFIX_BYTES || block.bodyBytes < 0) {
      throw corrupt(`the footer places ${kind} ${number} outside of the file`);
    }
    yield block;
  }
}

/** Two blocks over the same bytes would count rows twice. */
function checkDisjoint(blocks: readonly Block[]): void {
  const sorted = blocks.toSorted((a, b) => a.position - b.position);
  for (let i = 1; i < sorted.length; i++) {
    const before = sorted[i - 1]!;
    if (before.position + before.metadataBytes + before.bodyBytes > sorted[i]!.position) {
      throw corrupt('the footer places two batches over each other');
    }
  }
}

async function readBlock(source: ByteSource, block: Block): Promise<{ place: MessagePlace; head: AnyHead }> {
  const where = `${block.kind} ${block.number}`;
  if (block.metadataBytes > MAX_METADATA_BYTES) throw corrupt(`${where} has ${block.metadataBytes} bytes of metadata`);
  const framed = await source.read(block.position, block.metadataBytes);
  try {
    const { start, metadataBytes } = decodePrefix(framed);
    if (start + metadataBytes > framed.length) throw corrupt('its metadata is longer than the footer says');
    const message = decodeMessage(framed.subarray(start, start + metadataBytes));
    if (message.kind !== block.kind) throw corrupt(`the footer leads to a ${message.kind} message`);
    if (message.bodyBytes !== block.bodyBytes) throw corrupt('footer and message differ on the length of its body');
    const place: MessagePlace = {
      kind: block.kind,
      number: block.number,
      metadataPosition: block.position + start,
      metadataBytes,
      bodyPosition: block.position + block.metadataBytes,
      bodyBytes: block.bodyBytes,
    };
    return { place, head: decodeHead(message) };
  } catch (error) {
    throw placeFault(where, error);
  }
}

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

export type AnyHead = BatchHead | DictionaryHead;

export function decodeHead(message: Message): AnyHead {
  return message.kind === 'dictionary' ? decodeDictionaryHead(message) : decodeBatchHead(message);
}

function checkBatch(check: BatchCheck, schema: Schema, place: MessagePlace, head: AnyHead): void {
  try {
    check(schema, head);
  } catch (error) {
    throw placeFault(`${place.kind} ${place.number}`, error, { [place.kind]: place.number });
  }
}

function addRows(rows: number, head: AnyHead): number {
  const sum = 'values' in head ? rows : rows + head.rows;
  if (!Number.isSafeInteger(sum)) throw corrupt('its batches claim more rows than can be counted');
  return sum;
}
