/** One candidate as JSON text, or an item: id, score, attributes, vector. */
import type { ColumnType } from '../arrow/column.js';
import { didYouMean } from '../base/nearest-name.js';
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import type { Answer } from '../retrieve/search.js';
import type { AttributeColumn } from '../version/attribute-column.js';
import { fieldError } from './request/field-error.js';
import type { Include } from './request/search-request.js';
import type { TextBytes } from './text-bytes.js';

/** Writes what each candidate carries beside its id and score; its commas included. */
export type ExtraWriter = (ordinal: number, out: TextBytes) => void;

const END = 0x7d;
const ID = Buffer.from('{"id":');
const SCORE = Buffer.from(',"score":');

/** @param id UTF-8 at [from, to) of it */
export function writeCandidate(
  id: Uint8Array,
  from: number,
  to: number,
  ordinal: number,
  score: number,
  extras: readonly ExtraWriter[],
  out: TextBytes,
): void {
  out.copy(ID);
  out.quote(id, from, to);
  out.copy(SCORE);
  out.float32(score);
  for (const write of extras) write(ordinal, out);
  out.byte(END);
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
  version: LoadedVersion,
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

/** `,"attributes":{"title":"...","price":12.5}` @param names that the version has */
export function attributesWriter({ attributes }: LoadedVersion, names: readonly string[]): ExtraWriter {
  const members = names.map((name, i) => ({
    head: `${i === 0 ? '' : ','}${JSON.stringify(name)}:`,
    write: valueWriter(attributes!.column(name)),
  }));
  return (ordinal, out) => {
    out.ascii(',"attributes":{');
    for (const { head, write } of members) {
      out.utf8(head);
      write(ordinal, out);
    }
    out.ascii('}');
  };
}

/** Values as version/ says them in JSON; texts and float32, which are most, without a string between. */
function valueWriter(attribute: AttributeColumn): ExtraWriter {
  const isFloat32 = (type: ColumnType) => type.kind === 'float' && type.bits !== 64;
  return (ordinal, out) => {
    const { firstOrdinal, column } = attribute.chunks[attribute.chunkOf(ordinal)]!;
    const row = ordinal - firstOrdinal;
    if (column.valid !== null && column.valid[row] === 0) out.ascii('null');
    else if (column.shape === 'strings') out.quote(column.bytes, column.offsets[row]!, column.offsets[row + 1]!);
    else if (column.shape === 'numbers' && isFloat32(column.type) && Number.isFinite(column.values[row])) {
      out.float32(column.values[row] as number);
    } else out.utf8(JSON.stringify(attribute.value(ordinal)));
  };
}

/** `,"vector":[0.1,0.2]`: each component as the shortest decimal that restores the float32. */
export function writeVector(vector: Float32Array, out: TextBytes): void {
  out.ascii(',"vector":[');
  for (let i = 0; i < vector.length; i++) {
    if (i > 0) out.ascii(',');
    out.float32(vector[i]!);
  }
  out.ascii(']');
}

/** `,"seed":0,"seed_score":0.9`, of one candidate after the other. @param answer of a search with seeds */
export function seedWriter({ seeds, seedScores }: Answer): ExtraWriter {
  let position = 0;
  return (_ordinal, out) => {
    out.ascii(`,"seed":${seeds![position]!},"seed_score":`);
    out.float32(seedScores![position++]!);
  };
}
