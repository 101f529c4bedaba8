/**
 * The file format: batches at the positions in the footer. Fails if the footer is missing or wrong, or if bytes before
 * it belong to nothing that it lists (file-coverage.ts).
 */
import { MAX_METADATA_BYTES } from '../bounds.js';
import type { ByteSource } from './byte-source.js';
import { addRows, checkBatch, type BatchCheck, type Container, type MessagePlace } from './container.js';
import { corrupt, placeFault } from '../fault.js';
import { checkCoverage, FIRST_BLOCK, type Extent } from './file-coverage.js';
import { FlatBytes, type FlatTable } from './flatbuffer.js';
import { decodeHead, decodeMessage, decodePrefix, decodeVersion, PREFIX_BYTES, type AnyHead } from './message.js';
import { decodeSchema } from './schema.js';

const MAGIC_BYTES = 6; // ARROW1
const FOOTER_TAIL_BYTES = 4 + MAGIC_BYTES;
const BLOCK_BYTES = 24;

export async function readFileContainer(source: ByteSource, check: BatchCheck): Promise<Container> {
  const footer = await readFooter(source);
  checkFooterVersion(footer.table.int16(0, 0));
  const schema = decodeSchema(footer.table.requireTable(1, 'the schema in the footer'));
  const blocks = [...readBlocks(footer, 2, 'dictionary'), ...readBlocks(footer, 3, 'batch')];
  await checkCoverage(source, blocks, footer);
  const places: MessagePlace[] = [];
  let rows = 0;
  for (const block of blocks) {
    const { place, head } = await readBlock(source, block);
    checkBatch(check, schema, place, head);
    places.push(place);
    rows = addRows(rows, head);
  }
  return { format: 'file', schema, places, rows, warnings: [] };
}

/** Old writers left out the version of the footer; messages have their own, which is checked. */
function checkFooterVersion(version: number): void {
  if (version !== 0) decodeVersion(version);
}

interface Footer {
  readonly table: FlatTable;
  readonly position: number;
  readonly bytes: number;
}

async function readFooter(source: ByteSource): Promise<Footer> {
  const tailPosition = source.size - FOOTER_TAIL_BYTES;
  if (tailPosition < FIRST_BLOCK) throw corrupt('it is too short for a footer');
  const tail = await source.read(tailPosition, FOOTER_TAIL_BYTES);
  if (Buffer.from(tail.subarray(4)).toString('latin1') !== 'ARROW1') throw corrupt('it does not end with a footer');
  const bytes = new FlatBytes(tail).uint32(0);
  const position = tailPosition - bytes;
  if (bytes > MAX_METADATA_BYTES || position < FIRST_BLOCK) throw corrupt(`it has a footer of ${bytes} bytes`);
  return { table: new FlatBytes(await source.read(position, bytes)).rootTable(), position, bytes };
}

/** A message as the footer describes it: its metadata, framing included, then its body. */
interface Block extends Extent {
  readonly kind: MessagePlace['kind'];
  readonly number: number;
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

async function readBlock(source: ByteSource, block: Block): Promise<{ place: MessagePlace; head: AnyHead }> {
  const where = `${block.kind} ${block.number}`;
  if (block.metadataBytes > MAX_METADATA_BYTES) throw corrupt(`${where} has ${block.metadataBytes} bytes of metadata`);
  const framed = await source.read(block.position, block.metadataBytes);
  try {
    const { start, metadataBytes } = decodePrefix(framed);
    if (start + metadataBytes > framed.length) throw corrupt('its metadata is longer than the footer says');
    const message = decodeMessage(framed.subarray(start, start + metadataBytes));
    if (message.kind !== block.kind) throw corrupt(`the footer points to a ${message.kind} message`);
    if (message.bodyBytes !== block.bodyBytes) throw corrupt('footer and message differ in the length of its body');
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
