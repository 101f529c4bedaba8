/** Changes to a version's contents: what a hostile or broken writer could have sealed. Each takes chance and a version to change. */
import { pick } from '../retrieve/filter/random-filters.js';
import { partsOf, type Loose, type Part, type SealedVersion } from './sealed-version.js';

export type Random = () => number;

export interface Mutation {
  readonly name: string;
  /** @returns false where the version has nothing of the kind */
  readonly change: (random: Random, version: SealedVersion) => boolean;
}

const below = (random: Random, limit: number): number => Math.floor(random() * limit);

const FLOATS = [NaN, Infinity, -Infinity, 3.4e38, -3.4e38, 1e30, -1e19, 1e-40, 0, -0, 1, -1, 2, 127, 1e9];
const DOUBLES = [NaN, Infinity, -Infinity, 1e308, -1e308, 5e-324, 0, -0, 1, -1, 1e18, 2 ** 31, 2 ** 53];
const WORDS = [
  0,
  1,
  2,
  3,
  7,
  8,
  16,
  100,
  119,
  199,
  239,
  240,
  241,
  1000,
  10_000,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 2,
  2 ** 32 - 1,
];
const NUMBERS = [
  0,
  1,
  -1,
  2,
  3,
  4,
  1.5,
  127,
  128,
  129,
  4001,
  16_385,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  -(2 ** 53),
  1e300,
  -0.5,
];
const VALUES: readonly unknown[] = [
  null,
  true,
  '',
  '0',
  'utf8',
  'int8',
  [],
  {},
  ['a'],
  'NaN',
  '../x',
  'cosine',
  'ip',
  'l2',
  'native',
  'hnswlib',
];

/** One part of a file, with the file to be changed. */
interface Place {
  readonly bytes: Buffer;
  readonly part: Part;
}

function findPart(random: Random, version: SealedVersion, files: RegExp, name: string): Place | null {
  const names = version.names(files);
  if (names.length === 0) return null;
  const bytes = version.change(pick(random, names));
  const part = partsOf(bytes).find((one) => one.name === name && one.bytes >= 4);
  return part === undefined ? null : { bytes, part };
}

/** Of a shard's vectors: how many there are in a row. */
const dimOf = ({ manifest }: SealedVersion): number => {
  const dim = manifest['dim'];
  return typeof dim === 'number' && Number.isInteger(dim) && dim > 0 && dim < 1e5 ? dim : 8;
};

function inPart(
  files: RegExp,
  name: string,
  change: (random: Random, bytes: Buffer, part: Part, version: SealedVersion) => void,
): Mutation['change'] {
  return (random, version) => {
    const place = findPart(random, version, files, name);
    if (place !== null) change(random, place.bytes, place.part, version);
    return place !== null;
  };
}

/** Position of a whole number of `size` bytes inside a part. */
const at = (random: Random, { offset, bytes }: Part, size: number): number =>
  offset + size * below(random, Math.max(1, Math.floor(bytes / size)));

const aWord = (random: Random): number => (random() < 0.6 ? pick(random, WORDS) : below(random, 300));

function setWord(random: Random, bytes: Buffer, part: Part): void {
  bytes.writeUInt32LE(aWord(random), at(random, part, 4));
}

function copyWord(random: Random, bytes: Buffer, part: Part): void {
  bytes.copyWithin(at(random, part, 4), ...spanAt(at(random, part, 4), 4));
}

function setByte(random: Random, bytes: Buffer, part: Part): void {
  bytes[at(random, part, 1)] = below(random, 256);
}

function makeNoise(random: Random, bytes: Buffer, part: Part): void {
  const from = at(random, part, 1);
  const to = Math.min(part.offset + part.bytes, from + 1 + below(random, 64));
  for (let i = from; i < to; i++) bytes[i] = below(random, 256);
}

const spanAt = (from: number, length: number): [number, number] => [from, from + length];

const SHARD = /^shard-\d+\.bin$/;
const GRAPH = /\.graph$/;
const HNSW = /\.hnsw$/;
const IDS = /^ids\.bin$/;
const ATTRIBUTES = /^attributes\.arrow$/;

function changeRow(change: (random: Random, bytes: Buffer, from: number, dim: number) => void): Mutation['change'] {
  return inPart(SHARD, 'vectors', (random, bytes, part, version) => {
    const dim = dimOf(version);
    change(random, bytes, at(random, part, 4 * dim), dim);
  });
}

const eachFloat = (bytes: Buffer, from: number, dim: number, make: (value: number) => number): void => {
  for (let i = 0; i < dim && from + 4 * i + 4 <= bytes.length; i++) {
    bytes.writeFloatLE(make(bytes.readFloatLE(from + 4 * i)), from + 4 * i);
  }
};

const VECTORS: readonly Mutation[] = [
  { name: 'a component', change: inPart(SHARD, 'vectors', (random, bytes, part) => bytes.writeFloatLE(pick(random, FLOATS), at(random, part, 4))) },
  { name: 'every component of a row', change: changeRow((random, bytes, from, dim) => {
    const value = pick(random, FLOATS);
    eachFloat(bytes, from, dim, () => value);
  }) },
  { name: 'the length of a row', change: changeRow((random, bytes, from, dim) => {
    const factor = pick(random, [0, 0.5, 0.999, 1.001, 2, 1e10, 1e30, -1]);
    eachFloat(bytes, from, dim, (value) => value * factor);
  }) },
  { name: 'a row in place of another', change: inPart(SHARD, 'vectors', (random, bytes, part, version) => {
    const row = 4 * dimOf(version);
    bytes.copyWithin(at(random, part, row), ...spanAt(at(random, part, row), row));
  }) },
  { name: 'every row', change: inPart(SHARD, 'vectors', (random, bytes, { offset, bytes: length }) => {
    const value = pick(random, FLOATS);
    eachFloat(bytes, offset, length / 4, () => value);
  }) },
  { name: 'noise in vectors', change: inPart(SHARD, 'vectors', makeNoise) },
]; // prettier-ignore

const PLACEMENT: readonly Mutation[] = [
  { name: 'an ordinal', change: inPart(SHARD, 'ordinals', setWord) },
  { name: 'an ordinal as its neighbour has it', change: inPart(SHARD, 'ordinals', copyWord) },
  { name: 'ordinals of another shard', change: (random, version) => {
    const names = version.names(SHARD);
    if (names.length < 2) return false;
    const from = version.files.get(pick(random, names))!;
    const to = version.change(pick(random, names));
    const source = partsOf(from).find(({ name }) => name === 'ordinals');
    const target = partsOf(to).find(({ name }) => name === 'ordinals');
    if (source === undefined || target === undefined) return false;
    const length = 4 * (1 + below(random, Math.max(1, Math.min(source.bytes, target.bytes) / 4)));
    from.copy(to, target.offset, source.offset, source.offset + Math.min(length, source.bytes, target.bytes));
    return true;
  } },
  { name: 'two shards swapped', change: (random, version) => {
    const names = version.names(pick(random, [SHARD, GRAPH, HNSW]));
    if (names.length < 2) return false;
    const [one, other] = [pick(random, names), pick(random, names)];
    const kept = version.files.get(one)!;
    version.files.set(one, version.files.get(other)!);
    version.files.set(other, kept);
    return one !== other;
  } },
]; // prettier-ignore

const ID_TABLE: readonly Mutation[] = ['values', 'offsets', 'bytes', 'slots'].flatMap((name) => [
  { name: `a word of the ids' ${name}`, change: inPart(IDS, name, setWord) },
  { name: `a byte of the ids' ${name}`, change: inPart(IDS, name, setByte) },
  { name: `an entry of the ids' ${name} twice`, change: inPart(IDS, name, (random, bytes, part) => {
    const size = name === 'values' ? 8 : 4;
    bytes.copyWithin(at(random, part, size), ...spanAt(at(random, part, size), size));
  }) },
]); // prettier-ignore

/** An id as another row has it, found by nobody: slots and all else fit. */
const TWINS: readonly Mutation[] = [
  { name: 'an id twice', change: (random, version) => {
    const place = findPart(random, version, IDS, 'values');
    if (place !== null) {
      const { bytes, part } = place;
      bytes.copyWithin(at(random, part, 8), ...spanAt(at(random, part, 8), 8));
      return true;
    }
    const texts = findPart(random, version, IDS, 'offsets');
    if (texts === null) return false;
    const { bytes, part } = texts;
    const all = partsOf(bytes).find(({ name }) => name === 'bytes')!;
    const rows = part.bytes / 4 - 1;
    const [one, other] = [below(random, rows), below(random, rows)];
    const span = (row: number) => [bytes.readUInt32LE(part.offset + 4 * row), bytes.readUInt32LE(part.offset + 4 * row + 4)] as const;
    const [from, to] = span(one);
    const [start, end] = span(other);
    if (to - from !== end - start || one === other) return false;
    bytes.copyWithin(all.offset + start, all.offset + from, all.offset + to);
    return true;
  } },
  { name: 'bytes that are no UTF-8 in ids', change: (random, version) => {
    const place = findPart(random, version, IDS, 'bytes');
    if (place === null) return false;
    for (let i = 0; i < 8; i++) place.bytes[at(random, place.part, 1)] = pick(random, [0xff, 0xc0, 0x80, 0xed, 0xf5]);
    return true;
  } },
]; // prettier-ignore

/** Fields of the header of a native graph lie below its table of sections. */
const GRAPH_HEADER = 288;

const NATIVE: readonly Mutation[] = [
  { name: 'a word of the header of a graph', change: inFile(GRAPH, (random, bytes) => bytes.writeUInt32LE(aWord(random), 8 + 4 * below(random, (GRAPH_HEADER - 8) / 4))) },
  { name: 'a number of the header of a graph', change: inFile(GRAPH, (random, bytes) => bytes.writeDoubleLE(pick(random, DOUBLES), 64 + 8 * below(random, 12))) },
  { name: 'the quantizer of a graph', change: inFile(GRAPH, (random, bytes) => bytes.writeDoubleLE(pick(random, DOUBLES), pick(random, [72, 96, 104, 112]))) },
  { name: 'the table of a graph', change: inFile(GRAPH, (random, bytes) => bytes.writeUInt32LE(aWord(random), GRAPH_HEADER + 4 * below(random, 42))) },
  { name: 'an offset of the quantizer', change: inPart(GRAPH, 'low', (random, bytes, part) => bytes.writeDoubleLE(pick(random, DOUBLES), at(random, part, 8))) },
  ...['codes', 'links', 'upper_rows', 'upper_links', 'next_equal'].flatMap((name) => [
    { name: `a word of ${name}`, change: inPart(GRAPH, name, setWord) },
    { name: `a word of ${name} as another`, change: inPart(GRAPH, name, copyWord) },
    { name: `noise in ${name}`, change: inPart(GRAPH, name, makeNoise) },
  ]),
  { name: 'all links to one node', change: inPart(GRAPH, 'links', (random, bytes, part) => {
    const to = below(random, 60);
    for (let i = 0; i < part.bytes; i += 4) bytes.writeUInt32LE(to, part.offset + i);
  }) },
  { name: 'links to a row that another stands for', change: inPart(GRAPH, 'links', (random, bytes, part) => {
    // Rows are built so that every tenth is a copy of an earlier one.
    for (let i = 0; i < 20; i++) bytes.writeUInt32LE(10 * (1 + below(random, 5)), at(random, part, 4));
  }) },
  { name: 'chains of rows that are not equal', change: inPart(GRAPH, 'next_equal', (random, bytes, part) => {
    for (let i = 0; i < 6; i++) {
      const row = below(random, part.bytes / 4 - 1);
      bytes.writeUInt32LE(row + 1 + below(random, part.bytes / 4 - row - 1), part.offset + 4 * row);
    }
  }) },
  { name: 'no chains', change: inPart(GRAPH, 'next_equal', (_random, bytes, part) => bytes.fill(0xff, part.offset, part.offset + part.bytes)) },
]; // prettier-ignore

const HNSWLIB: readonly Mutation[] = [
  { name: 'a word of the header of an hnswlib graph', change: inFile(HNSW, (random, bytes) => bytes.writeUInt32LE(aWord(random), 4 * below(random, 24))) },
  { name: 'a word of an hnswlib graph', change: inFile(HNSW, (random, bytes) => bytes.writeUInt32LE(aWord(random), 4 * below(random, bytes.length / 4))) },
  { name: 'a row of an hnswlib graph and of the shard', change: (random, version) => {
    const shards = version.names(HNSW);
    if (shards.length === 0) return false;
    // Of both, so that they agree with each other.
    const name = pick(random, shards);
    const graph = version.change(name);
    const vectors = version.change(name.replace('.hnsw', '.bin'));
    const part = partsOf(vectors).find((one) => one.name === 'vectors');
    if (part === undefined) return false;
    const row = 4 * dimOf(version);
    const from = at(random, part, row);
    const where = graph.indexOf(vectors.subarray(from, from + row));
    const value = pick(random, FLOATS);
    for (const [bytes, start] of [[vectors, from], [graph, where]] as const) {
      if (start >= 0) eachFloat(bytes, start, dimOf(version), () => value);
    }
    return true;
  } },
]; // prettier-ignore

function inFile(files: RegExp, change: (random: Random, bytes: Buffer) => void): Mutation['change'] {
  return (random, version) => {
    const names = version.names(files);
    if (names.length === 0) return false;
    const bytes = version.change(pick(random, names));
    if (bytes.length < 4096) return false;
    change(random, bytes);
    return true;
  };
}

const OTHERS: readonly Mutation[] = [
  { name: 'the table of a section file', change: inFile(pickable([SHARD, IDS]), (random, bytes) => bytes.writeUInt32LE(aWord(random), 8 + 4 * below(random, 80))) },
  { name: 'a word of the attributes', change: inFile(ATTRIBUTES, (random, bytes) => bytes.writeUInt32LE(aWord(random), 4 * below(random, bytes.length / 4))) },
  { name: 'noise in the attributes', change: inFile(ATTRIBUTES, (random, bytes) => makeNoise(random, bytes, { name: '', offset: 0, bytes: bytes.length })) },
  { name: 'a byte of the attributes', change: inFile(ATTRIBUTES, (random, bytes) => setByte(random, bytes, { name: '', offset: 0, bytes: bytes.length })) },
  { name: 'a file cut off, or with more', change: (random, version) => {
    const name = pick(random, [...version.files.keys()]);
    const bytes = version.files.get(name)!;
    const more = Buffer.alloc(pick(random, [1, 4, 4096]), below(random, 256));
    version.files.set(name, random() < 0.7 ? Buffer.from(bytes.subarray(0, below(random, bytes.length))) : Buffer.concat([bytes, more]));
    return true;
  } },
  { name: 'a file of zeros', change: (random, version) => {
    version.change(pick(random, [...version.files.keys()])).fill(0);
    return true;
  } },
  { name: 'a file in place of another', change: (random, version) => {
    const names = [...version.files.keys()];
    version.files.set(pick(random, names), version.files.get(pick(random, names))!);
    return true;
  } },
]; // prettier-ignore

function pickable(patterns: readonly RegExp[]): RegExp {
  return new RegExp(patterns.map(({ source }) => `(?:${source})`).join('|'));
}

const MANIFEST: readonly Mutation[] = [
  { name: 'a parameter of the engine', change: (random, { manifest }) => {
    const parameters = (manifest['engine'] as Loose)['parameters'] as Loose;
    parameters[pick(random, ['m', 'ef_construction'])] = random() < 0.8 ? pick(random, NUMBERS) : pick(random, VALUES);
    return true;
  } },
  { name: 'a count', change: (random, { manifest }) => {
    const shards = manifest['shards'] as Loose[];
    const change = below(random, 3) - 1;
    const shard = pick(random, shards);
    shard['count'] = random() < 0.5 ? pick(random, NUMBERS) : (shard['count'] as number) + change;
    if (random() < 0.7) manifest['count'] = shards.reduce((sum, one) => sum + (one['count'] as number), 0);
    return true;
  } },
  { name: 'the metric, the dimension or the type of ids', change: (random, { manifest }) => {
    const kind = below(random, 4);
    if (kind === 0) manifest['metric'] = pick(random, ['cosine', 'ip', 'l2']);
    if (kind === 1) manifest['dim'] = pick(random, [1, 2, 4, 6, 8, 12, 16, 200, 16_384]);
    if (kind === 2) (manifest['id'] as Loose)['type'] = pick(random, ['utf8', 'int8', 'int32', 'int64', 'uint8', 'uint64']);
    if (kind === 3) (manifest['engine'] as Loose)['name'] = pick(random, ['native', 'hnswlib', 'exact', '__proto__', 'constructor']);
    return true;
  } },
  { name: 'a member of the manifest', change: (random, { manifest }) => {
    changeMember(random, manifest);
    return true;
  } },
]; // prettier-ignore

/** Any member at any depth becomes something else, or goes. */
function changeMember(random: Random, object: Loose | unknown[]): void {
  const holder = object as Loose;
  const keys = Object.keys(holder);
  if (keys.length === 0) return;
  const key = pick(random, keys);
  const value = holder[key];
  if (typeof value === 'object' && value !== null && random() < 0.8) {
    changeMember(random, value as Loose);
    return;
  }
  const kind = below(random, 4);
  if (kind === 0 && !Array.isArray(object))
    holder[key] = undefined; // which JSON leaves out
  else if (kind === 1) holder[key] = pick(random, VALUES);
  else holder[key] = typeof value === 'number' || random() < 0.5 ? pick(random, NUMBERS) : pick(random, VALUES);
}

/** By what they change, so that each kind has its share whatever its number of mutations. */
export const MUTATIONS: readonly (readonly Mutation[])[] = [
  VECTORS, PLACEMENT, ID_TABLE, TWINS, NATIVE, NATIVE, HNSWLIB, OTHERS, MANIFEST,
]; // prettier-ignore

/** The manifest's list of files, after all digests are right. */
export const ENTRIES = (random: Random, manifest: Loose): boolean => {
  const files = manifest['files'] as Loose[];
  const entry = pick(random, files);
  if (random() < 0.5) entry['bytes'] = pick(random, NUMBERS);
  else entry['name'] = pick(random, ['../shard-0000.ids', 'shard-0000.ids', 'MANIFEST.json', 'x.bin', '']);
  return true;
};
