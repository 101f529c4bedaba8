/**
 * The checks of a graph file, as a generator that requests bytes block by block, so that the reader may be
 * synchronous or not. Memory is one block and a byte for each row. Every value is bounded by the size of the file
 * before it is used.
 */
import { ShortlistError } from '../../base/errors.js';
import type { GraphShape } from '../engine.js';
import {
  effectiveEfConstruction,
  elementBytes,
  HEADER,
  HEADER_BYTES,
  level0Bytes,
  MAX_GRAPH_ROWS,
  MAX_LEVEL,
  NO_ENTRY,
  upperListBytes,
} from './layout.js';

/** What the rows of the graph must hold. */
export interface GraphContents {
  /** count x dim values. */
  readonly values: Float32Array;
  /** The factor on `values` in the graph. */
  readonly factor: number;
}

/** The error for a damaged file. `what` follows its path. */
export function corrupt(path: string, what: string, details: Record<string, unknown> = {}): ShortlistError {
  const message = `${path} ${what}; restore the file or build the version again`;
  return new ShortlistError('file_corrupt', message, { file: path, ...details });
}

/**
 * Bytes of one read: large enough for the disk, and checked in about a millisecond. Above the largest element and
 * record.
 */
const BLOCK_BYTES = 1024 * 1024;

/** A request of the checks: the caller fills all of `into` before they continue. */
interface BlockRead {
  readonly into: Uint8Array;
  readonly position: number;
}

/** One file under check. */
interface Checked {
  readonly path: string;
  readonly size: number;
  readonly shape: GraphShape;
  readonly block: ArrayBuffer;
  /** Level of each row. */
  readonly levels: Uint8Array;
}

type Checks = Generator<BlockRead, void, undefined>;

export function* checkBlocks(path: string, size: number, shape: GraphShape, contents?: GraphContents): Checks {
  checkSize(path, size, shape);
  const file = { path, size, shape, block: new ArrayBuffer(BLOCK_BYTES), levels: new Uint8Array(shape.count) };
  const header = new DataView(file.block, 0, HEADER_BYTES);
  yield { into: new Uint8Array(file.block, 0, HEADER_BYTES), position: 0 };
  const { maxLevel, entryPoint } = checkHeader(path, header, shape);
  yield* checkElements(file, contents);
  yield* readLevels(file);
  checkEntry(file, maxLevel, entryPoint);
  yield* checkUpperLinks(file);
}

/** Checks that the file has room for everything except the upper lists, so that its size bounds what is allocated. */
function checkSize(path: string, size: number, { count, dim, m }: GraphShape): void {
  if (count > MAX_GRAPH_ROWS) throw corrupt(path, `cannot have ${count} rows, the most is ${MAX_GRAPH_ROWS}`);
  const min = HEADER_BYTES + count * (elementBytes(dim, m) + 4);
  if (size < min || size % 4 !== 0) {
    throw corrupt(path, `has ${size} bytes; ${count} rows of ${dim} components need ${min} at least`, {
      bytes: size,
    });
  }
}

function checkHeader(path: string, header: DataView, shape: GraphShape): { maxLevel: number; entryPoint: number } {
  const { count, dim, m } = shape;
  const expected = {
    level0Offset: 0,
    maxElements: count,
    count,
    elementBytes: elementBytes(dim, m),
    labelOffset: level0Bytes(m) + 4 * dim,
    vectorOffset: level0Bytes(m),
    maxM: m,
    maxM0: 2 * m,
    m,
    efConstruction: effectiveEfConstruction(m, shape.efConstruction),
  };
  for (const [name, value] of Object.entries(expected)) {
    const found = header.getBigUint64(HEADER[name as keyof typeof expected], true);
    if (found !== BigInt(value))
      throw corrupt(path, `has ${found} as ${name} in its header, not ${value}`, { field: name });
  }
  const levelFactor = header.getFloat64(HEADER.levelFactor, true);
  // hnswlib does not use it in searches. The last bit of the logarithm may depend on the system that wrote it.
  if (!(Math.abs(levelFactor * Math.log(m) - 1) < 1e-12)) {
    throw corrupt(path, `has ${levelFactor} as levelFactor in its header, not ${1 / Math.log(m)}`, {
      field: 'levelFactor',
    });
  }
  return {
    maxLevel: header.getInt32(HEADER.maxLevel, true),
    entryPoint: header.getUint32(HEADER.entryPoint, true),
  };
}

/** Level 0: links, vectors and labels. */
function* checkElements(file: Checked, contents: GraphContents | undefined): Checks {
  const { count, dim, m } = file.shape;
  const bytes = elementBytes(dim, m);
  const blockRows = Math.floor(BLOCK_BYTES / bytes);
  const words = new Uint32Array(file.block);
  const floats = new Float32Array(file.block);
  for (let first = 0; first < count; first += blockRows) {
    const rows = Math.min(blockRows, count - first);
    yield { into: new Uint8Array(file.block, 0, rows * bytes), position: HEADER_BYTES + first * bytes };
    const values = contents?.values.subarray(first * dim, (first + rows) * dim);
    for (let i = 0, at = 0; i < rows; i++, at += bytes / 4) {
      const row = first + i;
      checkLinks(file, words, at, row, 0);
      const vector = at + level0Bytes(m) / 4;
      const isHeld =
        values === undefined
          ? isFinite(floats, vector, dim)
          : isEqual(floats, vector, values, i * dim, dim, contents!.factor);
      if (!isHeld) {
        throw corrupt(file.path, `does not hold the vector of row ${row}`, { row });
      }
      if (words[vector + dim] !== row || words[vector + dim + 1] !== 0) {
        throw corrupt(file.path, `has a label other than ${row} on row ${row}`, { row });
      }
    }
  }
}

/** One list: a count, then links. The upper half of the count would mark deleted rows. */
function checkLinks(
  { path, shape, levels }: Checked,
  words: Uint32Array,
  at: number,
  row: number,
  level: number,
): void {
  const links = words[at]!;
  const max = level === 0 ? 2 * shape.m : shape.m;
  if (links > max)
    throw corrupt(path, `has ${links} links on row ${row}, level ${level}; the most is ${max}`, { row, level });
  for (let i = at + 1; i <= at + links; i++) {
    const to = words[i]!;
    if (to >= shape.count || to === row)
      throw corrupt(path, `links row ${row}, level ${level}, to row ${to}`, { row, level });
    if (level > 0 && levels[to]! < level) {
      throw corrupt(path, `links row ${row}, level ${level}, to row ${to}, which has no such level`, { row, level });
    }
  }
}

function isFinite(floats: Float32Array, at: number, dim: number): boolean {
  for (let i = at; i < at + dim; i++) {
    if (!Number.isFinite(floats[i]!)) return false;
  }
  return true;
}

// prettier-ignore
function isEqual(floats: Float32Array, at: number, values: Float32Array, from: number, dim: number, factor: number): boolean {
  if (factor === 1) {
    for (let i = 0; i < dim; i++) if (floats[at + i]! !== values[from + i]!) return false;
  } else {
    for (let i = 0; i < dim; i++) if (floats[at + i]! !== Math.fround(values[from + i]! * factor)) return false;
  }
  return true;
}

function upperStart({ count, dim, m }: GraphShape): number {
  return HEADER_BYTES + count * elementBytes(dim, m);
}

/** Reads the size of every record of upper levels into `levels`. The last record must end with the file. */
function* readLevels(file: Checked): Checks {
  const { path, size, shape, levels } = file;
  const words = new Uint32Array(file.block);
  const listBytes = upperListBytes(shape.m);
  let row = 0;
  let record = upperStart(shape);
  for (let position = record; position < size; position += BLOCK_BYTES) {
    const bytes = Math.min(BLOCK_BYTES, size - position);
    yield { into: new Uint8Array(file.block, 0, bytes), position };
    for (; record < position + bytes && row < shape.count; row++) {
      const listsBytes = words[(record - position) / 4]!;
      const level = listsBytes / listBytes;
      if (!Number.isInteger(level) || level > MAX_LEVEL) {
        throw corrupt(path, `has ${listsBytes} bytes of upper levels on row ${row}; lists of ${listBytes} bytes`, {
          row,
        });
      }
      levels[row] = level;
      record += 4 + listsBytes;
    }
  }
  if (row !== shape.count || record !== size) {
    throw corrupt(path, `has ${size} bytes, and its ${shape.count} rows end at byte ${record} (${row} of them found)`);
  }
}

function checkEntry({ path, shape, levels }: Checked, maxLevel: number, entryPoint: number): void {
  let highest = shape.count === 0 ? -1 : 0;
  for (const level of levels) if (level > highest) highest = level;
  if (maxLevel !== highest)
    throw corrupt(path, `has ${maxLevel} as maxLevel in its header, not ${highest}`, { field: 'maxLevel' });
  const isEntry = shape.count === 0 ? entryPoint === NO_ENTRY : levels[entryPoint] === highest;
  if (!isEntry)
    throw corrupt(path, `has row ${entryPoint} as entryPoint, which is not at level ${highest}`, {
      field: 'entryPoint',
    });
}

/** Checks the lists of the upper levels, as many whole records at a time as fit a block. */
function* checkUpperLinks(file: Checked): Checks {
  const { shape, levels } = file;
  const words = new Uint32Array(file.block);
  const listBytes = upperListBytes(shape.m);
  let position = upperStart(shape);
  for (let first = 0, end = 0; first < shape.count; first = end) {
    let bytes = 0;
    while (end < shape.count && bytes + 4 + levels[end]! * listBytes <= BLOCK_BYTES)
      bytes += 4 + levels[end++]! * listBytes;
    yield { into: new Uint8Array(file.block, 0, bytes), position };
    for (let row = first, at = 0; row < end; row++, at += 1 + (levels[row - 1]! * listBytes) / 4) {
      for (let level = 1; level <= levels[row]!; level++) {
        checkLinks(file, words, at + 1 + ((level - 1) * listBytes) / 4, row, level);
      }
    }
    position += bytes;
  }
}
