/**
 * Reads the pages of one column in one row group, one after the other: memory for one page, whatever the size of the
 * group. hyparquet decodes headers, levels and values; this file finds the pages and checks what a hostile file could
 * ask for.
 */
import { crc32 } from 'node:zlib';
import type { ColumnMetaData, Compressors, DecodedArray, PageHeader } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { decompressPage, readDataPage, readDataPageV2 } from 'hyparquet/src/datapage.js';
import { readPlain } from 'hyparquet/src/plain.js';
import type { ByteSource } from '../../arrow/frame/byte-source.js';
import { ArrowFault, corrupt, unsupported } from '../../arrow/fault.js';
import type { ColumnType } from '../../arrow/column.js';
import { checkRuns, levelWidth } from './check-runs.js';
import type { Leaf } from './columns.js';
import { lengthOf, pick, toValues, type Values } from './values.js';

/** Bytes of one read that serves several headers and small pages. */
const WINDOW_BYTES = 256 * 1024;
/** Longest header: its statistics hold two values of the column. */
const MAX_HEADER_BYTES = 16 * 2 ** 20;
/** Largest page, and most values of one. Writers cut pages at about a megabyte. */
const MAX_PAGE_BYTES = 2 ** 30;
const MAX_PAGE_VALUES = 2 ** 26;

/** One data page. Levels are empty if all are at their maximum (definition) or there are none (repetition). */
export interface Page {
  readonly definitions: ArrayLike<number>;
  readonly repetitions: ArrayLike<number>;
  /** Entries, nulls and empty lists included. */
  readonly entries: number;
  /** The values that are present. */
  readonly values: Values;
}

type HeaderV2 = NonNullable<PageHeader['data_page_header_v2']>;

export class PageReader {
  private position: number;
  private readonly end: number;
  private window: { start: number; bytes: Uint8Array } = { start: 0, bytes: new Uint8Array(0) };
  private dictionary: Values | null = null;
  private pages = 0;

  constructor(
    private readonly source: ByteSource,
    private readonly chunk: ColumnMetaData,
    private readonly leaf: Leaf,
    /** Of the values, as they are read. */
    private readonly type: ColumnType,
    private readonly compressors: Compressors,
  ) {
    const first = Number(chunk.data_page_offset);
    const dictionary = Number(chunk.dictionary_page_offset ?? 0n);
    this.position = dictionary > 0 && dictionary < first ? dictionary : first;
    this.end = this.position + Number(chunk.total_compressed_size);
    if (!(this.position >= 4 && this.end <= source.size)) throw corrupt('its pages are outside of the file');
  }

  /** The next data page; null after the last one. @throws ArrowFault */
  async next(): Promise<Page | null> {
    while (this.position < this.end) {
      const page = await this.readPage();
      if (page !== null) return page;
    }
    return null;
  }

  /** Null for a dictionary and for pages of indexes. */
  private async readPage(): Promise<Page | null> {
    const number = this.pages++;
    const { header, length } = await this.readHeader();
    const body = await this.bytesAt(this.position + length, header.compressed_page_size);
    this.position += length + header.compressed_page_size;
    if (header.crc !== undefined && crc32(body) !== header.crc >>> 0) throw corrupt(`page ${number} fails its checksum`); // prettier-ignore
    return decoding(number, () => this.decode(header, body));
  }

  private async readHeader(): Promise<{ header: PageHeader; length: number }> {
    const left = this.end - this.position;
    for (let wanted = Math.min(left, 4096); ; wanted = Math.min(left, wanted * 8, MAX_HEADER_BYTES)) {
      const bytes = await this.bytesAt(this.position, wanted);
      const reader = { view: viewOf(bytes), offset: 0 };
      const header = attempt(() => parquetHeader(reader));
      if (header !== null && reader.offset <= wanted) {
        checkHeader(header, left - reader.offset);
        return { header, length: reader.offset };
      }
      if (wanted >= Math.min(left, MAX_HEADER_BYTES)) throw corrupt(`page ${this.pages - 1} has no readable header`);
    }
  }

  private async bytesAt(position: number, length: number): Promise<Uint8Array> {
    const { start, bytes } = this.window;
    if (position < start || position + length > start + bytes.length) {
      const wanted = Math.max(length, Math.min(WINDOW_BYTES, this.end - position));
      this.window = { start: position, bytes: await this.source.read(position, wanted) };
    }
    const at = position - this.window.start;
    return this.window.bytes.subarray(at, at + length);
  }

  private decode(header: PageHeader, body: Uint8Array): Page | null {
    const { chunk, leaf, type, compressors } = this;
    const decoder = { ...chunk, element: leaf.element, schemaPath: leaf.schemaPath, compressors, pathInSchema: chunk.path_in_schema }; // prettier-ignore
    if (header.type === 'DICTIONARY_PAGE' && header.dictionary_page_header !== undefined) {
      const page = decompressPage(body, header.uncompressed_page_size, chunk.codec, compressors);
      const { num_values: count } = header.dictionary_page_header;
      const raw = readPlain({ view: viewOf(page), offset: 0 }, chunk.type, count, leaf.element.type_length);
      this.dictionary = toValues(raw, type, leaf.element);
      return null;
    }
    if (header.type === 'DATA_PAGE' && header.data_page_header !== undefined) {
      const page = decompressPage(body, header.uncompressed_page_size, chunk.codec, compressors);
      const { num_values: entries, encoding } = header.data_page_header;
      this.checkPage(page, entries, encoding);
      return this.toPage(readDataPage(page, header.data_page_header, decoder as never), entries, encoding);
    }
    if (header.type === 'DATA_PAGE_V2' && header.data_page_header_v2 !== undefined) {
      const v2 = header.data_page_header_v2;
      const page = this.decompressV2(header, v2, body);
      const plain = { ...header, data_page_header_v2: { ...v2, is_compressed: false } };
      return this.toPage(readDataPageV2(page, plain, decoder as never), v2.num_values, v2.encoding);
    }
    return null;
  }

  /** The levels are not compressed; the values behind them are. */
  private decompressV2(header: PageHeader, v2: HeaderV2, body: Uint8Array): Uint8Array {
    const { repetition_levels_byte_length: repeated, definition_levels_byte_length: defined, num_values: entries } = v2;
    const { maxDefinition, itemDefinitions } = this.leaf;
    const size = header.uncompressed_page_size - repeated - defined;
    const rest = body.subarray(repeated + defined);
    const values = v2.is_compressed !== false && size > 0 ? decompressPage(rest, size, this.chunk.codec, this.compressors) : rest; // prettier-ignore
    checkRuns(body.subarray(0, repeated), levelWidth(itemDefinitions.length), entries);
    checkRuns(body.subarray(repeated, repeated + defined), levelWidth(maxDefinition), entries);
    this.checkValues(values, entries, v2.encoding);
    return Buffer.concat([body.subarray(0, repeated + defined), values]);
  }

  /** Levels of the first format have their length before them. */
  private checkPage(page: Uint8Array, entries: number, encoding: string): void {
    let at = 0;
    for (const max of [this.leaf.itemDefinitions.length, this.leaf.maxDefinition]) {
      if (max === 0) continue;
      const end = at + 4 + viewOf(page).getUint32(at, true);
      checkRuns(page.subarray(at + 4), levelWidth(max), entries);
      at = end;
    }
    this.checkValues(page.subarray(at), entries, encoding);
  }

  private checkValues(values: Uint8Array, entries: number, encoding: string): void {
    const isBool = this.chunk.type === 'BOOLEAN';
    if (isBool && (encoding === 'RLE' || encoding.endsWith('DICTIONARY'))) checkRuns(values.subarray(4), 1, entries);
    else if (encoding === 'RLE') throw corrupt('its values are runs, as only those of bools are');
    else if (encoding.endsWith('DICTIONARY')) checkRuns(values.subarray(1), values[0] ?? 0, entries);
  }

  private toPage(
    { definitionLevels, repetitionLevels, dataPage }: { definitionLevels?: number[] | undefined; repetitionLevels: number[]; dataPage: DecodedArray },
    entries: number,
    encoding: string,
  ): Page {
    const { dictionary } = this;
    const isIndexed = encoding === 'PLAIN_DICTIONARY' || encoding === 'RLE_DICTIONARY';
    if (isIndexed && dictionary === null) throw corrupt('a page refers to a dictionary that is not there');
    const values = isIndexed ? pick(dictionary!, dataPage as ArrayLike<number>) : toValues(dataPage, this.type, this.leaf.element); // prettier-ignore
    const definitions = definitionLevels ?? [];
    const present = definitions.length === 0 ? entries : countLevel(definitions, this.leaf.maxDefinition);
    if (lengthOf(values) !== present) throw corrupt(`a page has ${lengthOf(values)} values, not ${present}`);
    return { definitions, repetitions: repetitionLevels, entries, values };
  }
} // prettier-ignore

function countLevel(levels: ArrayLike<number>, level: number): number {
  let count = 0;
  for (let i = 0; i < levels.length; i++) if (levels[i] === level) count++;
  return count;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Null if the bytes end before the header does, or are none. */
function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}

function checkHeader(header: PageHeader, left: number): void {
  const { compressed_page_size: stored, uncompressed_page_size: size } = header;
  const isSize = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= MAX_PAGE_BYTES;
  if (!isSize(stored) || !isSize(size)) throw unsupported(`a page is larger than ${MAX_PAGE_BYTES} bytes; write smaller pages`); // prettier-ignore
  if (stored > left) throw corrupt('a page ends after its column does');
  const v2 = header.data_page_header_v2;
  const values = (header.data_page_header ?? v2 ?? header.dictionary_page_header)?.num_values ?? 0;
  if (!(values >= 0 && values <= MAX_PAGE_VALUES)) throw unsupported(`a page has ${values} values; at most ${MAX_PAGE_VALUES} are read`); // prettier-ignore
  const levels = v2 === undefined ? 0 : v2.definition_levels_byte_length + v2.repetition_levels_byte_length;
  if (!(levels >= 0 && levels <= stored)) throw corrupt('a page has more levels than bytes');
}

/** hyparquet throws plain errors at bytes that contradict themselves. */
function decoding<T>(page: number, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof ArrowFault || !(error instanceof Error)) throw error;
    const problem = error.message.replace(/^parquet /, '');
    if (problem.startsWith('unsupported')) throw unsupported(`${problem}; write it with another encoding or codec`);
    throw corrupt(`page ${page} cannot be decoded (${problem})`);
  }
}
