/** Messages of the Arrow IPC format: their framing, and the heads of record and dictionary batches. */
import { corrupt, unsupported } from '../fault.js';
import { FlatBytes, type FlatTable, type StructVector } from './flatbuffer.js';

export type Codec = 'lz4' | 'zstd';
export type MessageKind = 'schema' | 'dictionary' | 'batch' | 'tensor';

export interface Message {
  readonly kind: MessageKind;
  /** 4 for metadata V4 (Arrow 0.8 to 0.17), 5 for V5. */
  readonly version: 4 | 5;
  readonly header: FlatTable;
  readonly bodyBytes: number;
}

/** The head of a record batch; its vectors are read on demand. */
export interface BatchHead {
  readonly version: 4 | 5;
  readonly rows: number;
  readonly codec: Codec | null;
  readonly bodyBytes: number;
  readonly bytes: FlatBytes;
  readonly nodes: StructVector;
  readonly buffers: StructVector;
  readonly variadicCounts: StructVector;
}

interface DictionaryHead {
  readonly id: number;
  readonly isDelta: boolean;
  readonly values: BatchHead;
}

/** Size of a node (length, null count) and of a buffer (offset, length) in the vectors of a batch head. */
const PAIR_BYTES = 16;

const KINDS: Record<number, MessageKind> = { 1: 'schema', 2: 'dictionary', 3: 'batch', 4: 'tensor', 5: 'tensor' };

/** Stands before the length since Arrow 0.15; earlier messages start with their length. */
const CONTINUATION = 0xffffffff;

/** Longest framing: continuation marker and length. */
export const PREFIX_BYTES = 8;

/** @returns where the metadata starts and its length; length 0 is the end-of-stream marker */
export function decodePrefix(bytes: Uint8Array): { start: number; metadataBytes: number } {
  const flat = new FlatBytes(bytes);
  const first = flat.uint32(0);
  const start = first === CONTINUATION ? 8 : 4;
  const metadataBytes = first === CONTINUATION ? flat.uint32(4) : first;
  return { start, metadataBytes };
}

export function decodeMessage(metadata: Uint8Array): Message {
  const table = new FlatBytes(metadata).rootTable();
  const version = decodeVersion(table.int16(0, 0));
  const kind = KINDS[table.uint8(1, 0)];
  if (kind === undefined) throw corrupt(`a message has the unknown kind ${table.uint8(1, 0)}`);
  const bodyBytes = table.int64(3, 0);
  if (bodyBytes < 0) throw corrupt('a message has a body of negative length');
  refuseExperimentalCompression(table, version);
  return { kind, version, header: table.requireTable(2, 'the header of a message'), bodyBytes };
}

export function decodeVersion(number: number): 4 | 5 {
  if (number === 3) return 4;
  if (number === 4) return 5;
  if (number >= 0 && number < 3) {
    throw unsupported(
      `it has metadata version V${number + 1}, from before Arrow 0.8; write it again with a newer library`,
    );
  }
  throw unsupported(`it has metadata version V${number + 1}, newer than this release reads; write it with version V5`);
}

/** Arrow 0.17 named the codec in the metadata of the message. Read as uncompressed, such a batch would be garbage. */
const EXPERIMENTAL_KEY = 'ARROW:experimental_compression';

/** Writers write one pair or none. Pairs can share one table, so a few bytes can hold many. */
const MAX_MESSAGE_PAIRS = 1_000;

function refuseExperimentalCompression(table: FlatTable, version: 4 | 5): void {
  if (version !== 4) return;
  if (table.structs(4, 4).count > MAX_MESSAGE_PAIRS) {
    throw corrupt(`a message has more than ${MAX_MESSAGE_PAIRS} metadata pairs of its own`);
  }
  for (const pair of table.tables(4)) {
    if (pair.hasText(0, EXPERIMENTAL_KEY)) {
      throw unsupported(
        'it is compressed in the experimental format of Arrow 0.17; write it again with Arrow 1.0 or newer',
      );
    }
  }
}

function decodeDictionaryHead(message: Message): DictionaryHead {
  const values = message.header.requireTable(1, 'the values of a dictionary');
  return {
    id: message.header.int64(0, 0),
    isDelta: message.header.bool(2, false),
    values: decodeBatchHead(message, values),
  };
}

function decodeBatchHead(message: Message, table: FlatTable = message.header): BatchHead {
  const rows = table.int64(0, 0);
  if (rows < 0) throw corrupt('a batch has a negative number of rows');
  const head: BatchHead = {
    version: message.version,
    rows,
    codec: decodeCodec(table.table(3)),
    bodyBytes: message.bodyBytes,
    bytes: table.bytes,
    nodes: table.structs(1, PAIR_BYTES),
    buffers: table.structs(2, PAIR_BYTES),
    variadicCounts: table.structs(4, 8),
  };
  checkBuffers(head);
  return head;
}

export type AnyHead = BatchHead | DictionaryHead;

export function decodeHead(message: Message): AnyHead {
  return message.kind === 'dictionary' ? decodeDictionaryHead(message) : decodeBatchHead(message);
}

function decodeCodec(table: FlatTable | null): Codec | null {
  if (table === null) return null;
  const codec = table.uint8(0, 0);
  const method = table.uint8(1, 0);
  if (method !== 0 || codec > 1) throw unsupported('its batches use an unknown compression; write it with lz4 or zstd');
  return codec === 0 ? 'lz4' : 'zstd';
}

function checkBuffers(head: BatchHead): void {
  for (let i = 0; i < head.buffers.count; i++) {
    const { offset, length } = readBufferRange(head, i);
    if (offset < 0 || length < 0 || offset + length > head.bodyBytes) {
      throw corrupt(`buffer ${i} of a batch lies outside of its body of ${head.bodyBytes} bytes`);
    }
    if (offset % 8 !== 0) throw corrupt(`buffer ${i} of a batch is not aligned to 8 bytes`);
  }
}

/** A range of a batch's body. */
export interface BufferRange {
  readonly offset: number;
  readonly length: number;
}

export function readBufferRange(head: BatchHead, index: number): BufferRange {
  if (index >= head.buffers.count)
    throw corrupt(`a batch has ${head.buffers.count} buffers, fewer than its columns need`);
  const at = head.buffers.position + PAIR_BYTES * index;
  return { offset: head.bytes.int64(at), length: head.bytes.int64(at + 8) };
}

export function readNode(head: BatchHead, index: number): { length: number; nulls: number } {
  if (index >= head.nodes.count) throw corrupt(`a batch has ${head.nodes.count} nodes, fewer than its columns need`);
  const at = head.nodes.position + PAIR_BYTES * index;
  const length = head.bytes.int64(at);
  const nulls = head.bytes.int64(at + 8);
  if (length < 0 || nulls < -1 || nulls > length) {
    throw corrupt(`a batch has a column of ${length} values, ${nulls} of them null`);
  }
  return { length, nulls };
}

export function readVariadicCount(head: BatchHead, index: number): number {
  if (index >= head.variadicCounts.count) throw corrupt('a batch does not say how many buffers its views have');
  const count = head.bytes.int64(head.variadicCounts.position + 8 * index);
  if (count < 0 || count > head.buffers.count) throw corrupt(`a batch says that a view has ${count} buffers`);
  return count;
}
