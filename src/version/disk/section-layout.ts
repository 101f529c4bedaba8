/**
 * The first page of a section file, byte by byte: encodes and decodes it. Hides offsets and padding. Everything in it
 * is checked against the size of the file before any of it is used. indexes/README.md has the same table for other
 * readers.
 *
 *   0   8  magic "SHORTLST"          64 + 96 i  entry of section i:
 *   8   4  format, uint32            +0   32  name, ASCII, zero-padded
 *  12   4  sections, uint32          +32   8  offset, uint64, a multiple of 4096
 *  16   8  bytes of the file, uint64 +40   8  bytes, uint64
 *  24   8  kind, ASCII, zero-padded  +48  32  SHA-256 of the section's bytes
 *  32  32  SHA-256 of the page       +80  16  zero
 *          with these 32 bytes zero
 */
import { createHash } from 'node:crypto';
import { endianness } from 'node:os';
import { ShortlistError } from '../../base/errors.js';

export const SECTION_FORMAT = 1;
/** A page of memory, so that any section can be mapped by itself, with aligned values. */
export const PAGE_BYTES = 4096;
/** As many as fit into one page. */
const MAX_SECTIONS = 42;

/** What a file holds. It is in the header, so that no file passes for another. */
export type SectionFileKind = 'shard' | 'ids';

export interface Section {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
}

const MAGIC = Buffer.from('SHORTLST', 'ascii');
const FORMAT_AT = 8;
const COUNT_AT = 12;
const FILE_BYTES_AT = 16;
const KIND_AT = 24;
const KIND_BYTES = 8;
const DIGEST_AT = 32;
const DIGEST_BYTES = 32;
const TABLE_AT = 64;
const ENTRY_BYTES = 96;
const NAME_BYTES = 32;
const NAME = /^[a-z][a-z0-9_]{0,31}$/;

/** Where the next section starts after one that ends at `offset`. */
export function alignToPage(offset: number): number {
  return Math.ceil(offset / PAGE_BYTES) * PAGE_BYTES;
}

/** Typed arrays have the byte order of the machine; files are little-endian. */
export function requireLittleEndian(): void {
  if (endianness() === 'LE') return;
  throw new ShortlistError('format_unsupported', 'versions are little-endian and this machine is big-endian');
}

export function encodeHeader(kind: SectionFileKind, sections: readonly Section[], fileBytes: number): Uint8Array {
  if (sections.length > MAX_SECTIONS) throw new Error(`${sections.length} sections in one file`);
  const page = Buffer.alloc(PAGE_BYTES);
  MAGIC.copy(page);
  page.writeUInt32LE(SECTION_FORMAT, FORMAT_AT);
  page.writeUInt32LE(sections.length, COUNT_AT);
  page.writeBigUInt64LE(BigInt(fileBytes), FILE_BYTES_AT);
  page.write(kind, KIND_AT, 'ascii');
  sections.forEach((section, position) => encodeEntry(page, TABLE_AT + position * ENTRY_BYTES, section));
  pageDigest(page).copy(page, DIGEST_AT);
  return page;
}

function encodeEntry(page: Buffer, at: number, section: Section): void {
  if (!NAME.test(section.name)) throw new Error(`'${section.name}' cannot name a section`);
  page.write(section.name, at, 'ascii');
  page.writeBigUInt64LE(BigInt(section.offset), at + 32);
  page.writeBigUInt64LE(BigInt(section.bytes), at + 40);
  page.write(section.sha256, at + 48, 'hex');
}

/**
 * The sections of a header page.
 * @param fileBytes size of the file that the page is from
 * @returns else what is wrong, as the end of a sentence; or `format`, if only the format number is unknown
 */
export function decodeHeader(
  bytes: Uint8Array,
  kind: SectionFileKind,
  fileBytes: number,
): { sections: Section[] } | { problem: string } | { format: number } {
  const page = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (page.length < PAGE_BYTES) return { problem: `has ${page.length} bytes, less than its header` };
  if (!page.subarray(0, MAGIC.length).equals(MAGIC)) return { problem: 'does not start as a section file' };
  if (!page.subarray(DIGEST_AT, TABLE_AT).equals(pageDigest(page))) return { problem: 'has a damaged header' };
  const format = page.readUInt32LE(FORMAT_AT);
  if (format !== SECTION_FORMAT) return { format };
  const found = readAscii(page, KIND_AT, KIND_BYTES);
  if (found !== kind) return { problem: `holds ${JSON.stringify(found)}, not ${kind}` };
  if (page.readBigUInt64LE(FILE_BYTES_AT) !== BigInt(fileBytes)) {
    return { problem: `has ${fileBytes} bytes, not the ${page.readBigUInt64LE(FILE_BYTES_AT)} of its header` };
  }
  return decodeTable(page, fileBytes);
}

/** Sections are in order, each on the page after the one before; the file ends with the page of the last. */
function decodeTable(page: Buffer, fileBytes: number): { sections: Section[] } | { problem: string } {
  const count = page.readUInt32LE(COUNT_AT);
  if (count > MAX_SECTIONS) return { problem: `has ${count} sections, more than fit` };
  const sections: Section[] = [];
  let next = PAGE_BYTES;
  for (let position = 0; position < count; position++) {
    const at = TABLE_AT + position * ENTRY_BYTES;
    const name = readAscii(page, at, NAME_BYTES);
    const offset = Number(page.readBigUInt64LE(at + 32));
    const bytes = Number(page.readBigUInt64LE(at + 40));
    if (!NAME.test(name)) return { problem: `has a section ${position} without a valid name` };
    if (sections.some((other) => other.name === name)) return { problem: `has two sections ${name}` };
    if (offset !== next || offset + bytes > fileBytes) return { problem: `has section ${name} out of place` };
    sections.push({ name, offset, bytes, sha256: page.toString('hex', at + 48, at + 80) });
    next = alignToPage(offset + bytes);
  }
  return next === fileBytes ? { sections } : { problem: `has ${fileBytes} bytes, and its sections end at ${next}` };
}

function pageDigest(page: Buffer): Buffer {
  const blank = Buffer.from(page);
  blank.fill(0, DIGEST_AT, DIGEST_AT + DIGEST_BYTES);
  return createHash('sha256').update(blank.subarray(0, PAGE_BYTES)).digest();
}

function readAscii(page: Buffer, at: number, length: number): string {
  const text = page.toString('latin1', at, at + length);
  const end = text.indexOf('\0');
  return end === -1 ? text : text.slice(0, end);
}
