/**
 * Checks that the footer of a file accounts for all bytes before it.
 *
 * Of two files joined byte by byte only the last footer counts, and a footer that lost batches loses their rows without
 * a word. So only padding may stand between the listed batches, only the schema before them, and only the end-of-stream
 * marker after them.
 */
import { MAX_METADATA_BYTES } from '../bounds.js';
import type { ByteSource } from './byte-source.js';
import { ArrowFault, corrupt } from '../fault.js';
import { decodeMessage, decodePrefix, PREFIX_BYTES, type MessageKind } from './message.js';

/** After the magic and its padding. */
export const FIRST_BLOCK = 8;

/** Bytes of one message: its metadata, framing included, then its body. */
export interface Extent {
  readonly position: number;
  readonly metadataBytes: number;
  readonly bodyBytes: number;
}

/** Longest padding: writers align to 8 or 64 bytes, and more than a page makes no sense. */
const MAX_PADDING_BYTES = 4_096;

/**
 * @param extents those of all batches and dictionaries, in any order
 * @param footer its position and length
 * @throws ArrowFault `input_corrupt`, naming the bytes that two batches cover, or none
 */
export async function checkCoverage(
  source: ByteSource,
  extents: readonly Extent[],
  footer: { readonly position: number; readonly bytes: number },
): Promise<void> {
  const sorted = extents.toSorted((a, b) => a.position - b.position);
  checkDisjoint(sorted);
  let covered = await skipSchema(source, sorted[0]?.position ?? footer.position, footer.bytes);
  for (const extent of sorted) {
    await checkPadding(source, covered, extent.position);
    covered = endOf(extent);
  }
  const hasMarker = isMarker(await source.read(covered, Math.min(PREFIX_BYTES, footer.position - covered)));
  await checkPadding(source, covered + (hasMarker ? PREFIX_BYTES : 0), footer.position);
}

function endOf({ position, metadataBytes, bodyBytes }: Extent): number {
  return position + metadataBytes + bodyBytes;
}

/** Two batches over the same bytes would count rows twice. */
function checkDisjoint(sorted: readonly Extent[]): void {
  for (let i = 1; i < sorted.length; i++) {
    const [from, to] = [sorted[i]!.position, endOf(sorted[i - 1]!)];
    if (from < to) {
      throw corrupt(`the footer places two batches over each other, from byte ${from} to ${to}`, { from, to });
    }
  }
}

async function checkPadding(source: ByteSource, from: number, to: number): Promise<void> {
  const bytes = await source.read(from, Math.min(to - from, MAX_PADDING_BYTES));
  if (to - from < MAX_PADDING_BYTES && isZero(bytes)) return;
  const what =
    `no batch in its footer covers the bytes from ${from} to ${to}: ` +
    `it may be several files joined byte by byte, or its footer may have lost batches`;
  throw corrupt(what, { from, to });
}

/** @returns where the schema before the batches ends; FIRST_BLOCK if there is none */
async function skipSchema(source: ByteSource, to: number, footerBytes: number): Promise<number> {
  const from = await skipZeros(source, to);
  if (to - from < PREFIX_BYTES) return FIRST_BLOCK;
  const framed = await findMessage(source, from, to);
  return framed?.kind === 'schema' ? framed.end : skipBareSchema(source, from, to, footerBytes);
}

/** The message whose framing starts here, by its metadata; null if none does. */
async function findMessage(
  source: ByteSource,
  position: number,
  to: number,
): Promise<{ kind: MessageKind; end: number } | null> {
  const { start, metadataBytes } = decodePrefix(await source.read(position, PREFIX_BYTES));
  const end = position + start + metadataBytes;
  if (metadataBytes === 0 || metadataBytes > MAX_METADATA_BYTES || end > to) return null;
  const kind = kindOf(await source.read(position + start, metadataBytes));
  return kind === null ? null : { kind, end };
}

/** @returns where the padding after the magic ends: the first word that is not zero */
async function skipZeros(source: ByteSource, to: number): Promise<number> {
  const bytes = await source.read(FIRST_BLOCK, Math.min(to - FIRST_BLOCK, MAX_PADDING_BYTES));
  const first = bytes.findIndex((byte) => byte !== 0);
  return FIRST_BLOCK + (first === -1 ? bytes.length : first - (first % 8));
}

/**
 * polars writes the schema without framing, so its length is unknown. It is no longer than the footer, which repeats
 * it, and any message after it has framing.
 */
async function skipBareSchema(source: ByteSource, from: number, to: number, footerBytes: number): Promise<number> {
  const bytes = await source.read(from, Math.min(to - from, footerBytes));
  if (kindOf(bytes) !== 'schema') return FIRST_BLOCK;
  for (let at = 0; at + PREFIX_BYTES <= bytes.length; at += 8) {
    const rest = bytes.subarray(at);
    if (!isFramed(rest)) continue;
    if (isMarker(rest) ? isZero(rest.subarray(PREFIX_BYTES)) : (await findMessage(source, from + at, to)) !== null) {
      return from + at;
    }
  }
  return from + bytes.length;
}

function kindOf(metadata: Uint8Array): MessageKind | null {
  try {
    return decodeMessage(metadata).kind;
  } catch (error) {
    if (error instanceof ArrowFault) return null;
    throw error;
  }
}

/** Whether the bytes start with the continuation marker. */
function isFramed(bytes: Uint8Array): boolean {
  return bytes.length >= PREFIX_BYTES && bytes.subarray(0, 4).every((byte) => byte === 0xff);
}

/** The end-of-stream marker: framing of a message without metadata. */
function isMarker(bytes: Uint8Array): boolean {
  return isFramed(bytes) && isZero(bytes.subarray(4, PREFIX_BYTES));
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
