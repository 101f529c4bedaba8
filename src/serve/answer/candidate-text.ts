/** One candidate or item as JSON text: id, score, attributes, vector. */
import { isAscii } from 'node:buffer';
import type { ColumnType } from '../../arrow/column.js';
import { MAX_NUMBER_BYTES, writeFloat32 } from '../../base/float32.js';
import type { IdTable } from '../../base/id-table.js';
import { MAX_ID_BYTES } from '../../base/limits.js';
import { didYouMean } from '../../base/nearest-name.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { Answer } from '../../retrieve/search/answer.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { fieldError } from '../request/field-error.js';
import type { Include } from '../request/search-request.js';
import { needsEscapes, type TextBytes } from './text-bytes.js';

/** Writes what a candidate has besides id and score, including commas. */
export type ExtraWriter = (ordinal: number, out: TextBytes) => void;

// The text between values as words of four bytes: one instruction per word. Excess bytes are overwritten later.
const ID = '{"id":"';
const [ID_0, ID_1] = asWords(ID) as [number, number];
const SCORE = '","score":';
const [SCORE_0, SCORE_1, SCORE_2] = asWords(SCORE) as [number, number, number];
const END = 0x7d;

/** Maximum size of a candidate without extras. */
const CANDIDATE_BYTES = ID.length + MAX_ID_BYTES + SCORE.length + MAX_NUMBER_BYTES + 1;

/** @param position of its id among those that `ids` has fetched */
export function writeCandidate(
  ids: IdTable,
  position: number,
  ordinal: number,
  score: number,
  extras: readonly ExtraWriter[],
  out: TextBytes,
): void {
  out.reserve(CANDIDATE_BYTES);
  const { bytes, view } = out;
  let at = out.length;
  view.setUint32(at, ID_0, true);
  view.setUint32(at + 4, ID_1, true);
  at += ID.length;
  const end = ids.writeFetched(position, bytes, at);
  at = ids.type.kind === 'utf8' && needsEscapes(bytes, at, end) ? escapeId(at, end, out) : end;
  out.view.setUint32(at, SCORE_0, true);
  out.view.setUint32(at + 4, SCORE_1, true);
  out.view.setUint32(at + 8, SCORE_2, true);
  at = writeFloat32(score, out.bytes, at + SCORE.length);
  if (extras.length > 0) {
    out.length = at;
    for (const write of extras) write(ordinal, out);
    out.reserve(1);
    at = out.length;
  }
  out.bytes[at] = END;
  out.length = at + 1;
}

/** A short text as little-endian words, padded with zeros. */
function asWords(text: string): number[] {
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 4) * 4, '\0'), 'latin1');
  return Array.from({ length: padded.length / 4 }, (_, word) => padded.readUInt32LE(4 * word));
}

/** Replaces an id by its escaped form, and reserves space for the rest of its candidate. @returns the end of the id */
function escapeId(start: number, end: number, out: TextBytes): number {
  const escaped = JSON.stringify(out.bytes.toString('utf8', start, end)).slice(1, -1);
  out.length = start;
  out.utf8(escaped);
  out.reserve(CANDIDATE_BYTES);
  return out.length;
}

/** @throws unknown_attribute */
export function extraWriters(version: LoadedVersion, { attributes, vectors }: Include): ExtraWriter[] {
  const writers: ExtraWriter[] = [];
  if (attributes !== null) {
    writers.push(attributesWriter(version, attributeNames(version, attributes, '/include/attributes')));
  }
  if (vectors) writers.push((ordinal, out) => writeVector(version.vectorOf(ordinal), out));
  return writers;
}

/** @throws unknown_attribute naming the field */
export function attributeNames(
  version: {
    readonly manifest: Pick<Manifest, 'index'>;
    readonly attributes: { readonly names: readonly string[] } | null;
  },
  asked: readonly string[] | 'all',
  field: string,
): readonly string[] {
  const known = version.attributes?.names ?? [];
  if (asked === 'all') return known;
  for (const [position, name] of asked.entries()) {
    if (known.includes(name)) continue;
    const there = known.length === 0 ? 'it has none' : `it has ${known.join(', ')}`;
    const message = `index ${version.manifest.index} has no attribute ${JSON.stringify(name.slice(0, 64))}; ${there}${didYouMean(name, known)}`;
    throw fieldError('unknown_attribute', `${field}/${position}`, message);
  }
  return asked;
}

/** Writes `,"attributes":{"title":"...","price":12.5}`. @param names of attributes that the version has */
export function attributesWriter({ attributes }: LoadedVersion, names: readonly string[]): ExtraWriter {
  const members = names.map((name, i) => {
    const head = `${i === 0 ? '' : ','}${JSON.stringify(name)}:`;
    return { head, isPlain: isAscii(Buffer.from(head)), write: valueWriter(attributes!.column(name)) };
  });
  return (ordinal, out) => {
    out.ascii(',"attributes":{');
    for (const { head, isPlain, write } of members) {
      if (isPlain) out.ascii(head);
      else out.utf8(head);
      write(ordinal, out);
    }
    out.byte(END);
  };
}

/** Writes the JSON of an attribute value. Texts and numbers, the most frequent, need no intermediate string. */
function valueWriter(attribute: AttributeColumn): ExtraWriter {
  return (ordinal, out) => {
    const position = attribute.positionOf(ordinal);
    const { first, column } = attribute.chunks[attribute.chunkOf(position)]!;
    const row = position - first;
    if (column.valid !== null && column.valid[row] === 0) out.ascii('null');
    else if (column.shape === 'strings') out.quote(column.bytes, column.offsets[row]!, column.offsets[row + 1]!);
    else if (column.shape === 'bools') out.ascii(column.values[row] === 1 ? 'true' : 'false');
    else if (column.shape !== 'numbers' || !writeNumber(column.type, column.values[row]!, out)) {
      out.utf8(JSON.stringify(attribute.valueAt(position)));
    }
  };
}

/** @returns false for dates and for numbers that JSON does not have */
function writeNumber(type: ColumnType, value: number | bigint, out: TextBytes): boolean {
  const number = Number(value);
  if (type.kind === 'int' && Number.isSafeInteger(number)) out.integer(number);
  else if (type.kind !== 'float' || !Number.isFinite(number)) return false;
  else if (type.bits === 64) out.ascii(String(number));
  else out.float32(number);
  return true;
}

/** Writes `,"vector":[0.1,0.2]`: each component as the shortest decimal that restores the float32. */
function writeVector(vector: Float32Array, out: TextBytes): void {
  out.ascii(',"vector":[');
  for (let i = 0; i < vector.length; i++) {
    if (i > 0) out.ascii(',');
    out.float32(vector[i]!);
  }
  out.ascii(']');
}

/** Writes `,"seed":0,"seed_score":0.9` for one candidate after the other. @param answer to a search with seeds */
export function seedWriter({ seeds, seedScores }: Answer): ExtraWriter {
  let position = 0;
  return (_ordinal, out) => {
    out.ascii(`,"seed":${seeds![position]!},"seed_score":`);
    out.float32(seedScores![position++]!);
  };
}

/** The JSON of an item up to its attributes. */
export function itemHead({ index, version }: Manifest, id: string): string {
  return `{"index":${JSON.stringify(index)},"version":${JSON.stringify(version)},"id":${JSON.stringify(id)}`;
}
