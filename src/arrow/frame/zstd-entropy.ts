/**
 * The entropy codes of Zstandard (RFC 8878, 4): finite state entropy, Huffman, and the bit streams that both are read
 * from backwards.
 */
import { corrupt } from '../fault.js';

/** No block unfolds to more (RFC 8878, 3.1.1.2.4). */
export const MAX_BLOCK_BYTES = 128 * 1024;

export function damaged(): Error {
  return corrupt('a Zstandard block is damaged');
}

export function readLittleEndian(bytes: Uint8Array, at: number, count: number): number {
  if (at + count > bytes.length) throw damaged();
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[at + i]!;
  return value;
}

/** A bit stream read from its last bit to its first. The highest set bit of the last byte marks the end. */
export class BackwardBits {
  private readonly bytes: Uint8Array;
  /** Bits that are not read yet. */
  left: number;

  constructor(bytes: Uint8Array) {
    const last = bytes.at(-1) ?? 0;
    if (last === 0) throw damaged();
    this.bytes = bytes;
    this.left = bytes.length * 8 - 1 - Math.clz32(last) + 24;
  }

  /** @param count 0 to 25 */
  read(count: number): number {
    this.left -= count;
    if (this.left < 0) throw damaged();
    return this.at(this.left) & ((1 << count) - 1);
  }

  /** The number of the state that follows this one. */
  readState(state: number): number {
    return (state >>> 16) + this.read((state >>> 8) & 0xff);
  }

  /** 2^code plus `code` bits, of which there can be 31. */
  readOffset(code: number): number {
    if (code <= 24) return (1 << code) + this.read(code);
    const high = this.read(code - 16);
    return 2 ** code + high * 65_536 + this.read(16);
  }

  /** Like `read`, with zeros for bits before the first: how the last states of a Huffman weight stream are read. */
  readPadded(count: number): number {
    if (this.left >= count) return this.read(count);
    const missing = count - this.left;
    const value = (this.at(0) & ((1 << this.left) - 1)) << missing;
    this.left = -missing;
    return value;
  }

  /** At least 25 bits from this position upwards. */
  private at(position: number): number {
    const { bytes } = this;
    const i = position >>> 3;
    return (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)) >>> (position & 7);
  }
}

/**
 * For each state, in one word: the symbol it stands for (low byte), and where the next state is: the base (high 16
 * bits) plus as many bits as the second byte says.
 */
export interface FseTable {
  readonly log: number;
  readonly states: Uint32Array;
}

/** A table that always gives the same symbol. */
export function singleSymbolTable(symbol: number): FseTable {
  return { log: 0, states: Uint32Array.of(symbol) };
}

/** @param counts how often each symbol stands in the table of 2^log states; -1 for less than once */
export function buildFseTable(counts: readonly number[], log: number): FseTable {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  const nextState = new Uint16Array(counts.length);
  let high = size;
  counts.forEach((count, symbol) => {
    if (count === -1) symbols[--high] = symbol;
    nextState[symbol] = Math.abs(count);
  });
  spreadSymbols(counts, symbols, high);
  const states = Uint32Array.from(symbols, (symbol) => {
    const next = nextState[symbol]!++;
    const bits = log - (31 - Math.clz32(next));
    return (((next << bits) - size) << 16) | (bits << 8) | symbol;
  });
  return { log, states };
}

function spreadSymbols(counts: readonly number[], symbols: Uint8Array, high: number): void {
  const mask = symbols.length - 1;
  const step = (symbols.length >> 1) + (symbols.length >> 3) + 3;
  let position = 0;
  counts.forEach((count, symbol) => {
    for (let i = 0; i < count; i++) {
      symbols[position] = symbol;
      do position = (position + step) & mask;
      while (position >= high);
    }
  });
  if (position !== 0) throw damaged();
}

/** @returns the table that `bytes` describe from `start` on, and where its description ends */
export function readFseTable(
  bytes: Uint8Array,
  start: number,
  maxLog: number,
  maxSymbols: number,
): { table: FseTable; end: number } {
  let position = start * 8;
  const read = (count: number): number => {
    const i = position >>> 3;
    const value = (bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16)) >>> (position & 7);
    position += count;
    if (position > bytes.length * 8) throw damaged();
    return value & ((1 << count) - 1);
  };
  const log = read(4) + 5;
  if (log > maxLog) throw damaged();
  const counts: number[] = [];
  let left = 1 << log;
  while (left > 0) {
    const bits = 32 - Math.clz32(left + 1);
    let value = read(bits);
    // Values that fit into one bit less are written with one bit less.
    const half = (1 << (bits - 1)) - 1;
    const spare = (1 << bits) - 1 - (left + 1);
    if ((value & half) < spare) {
      position--;
      value &= half;
    } else if (value > half) value -= spare;
    const count = value - 1;
    left -= Math.abs(count);
    counts.push(count);
    if (count === 0) pushZeroRuns(counts, read);
    if (left < 0 || counts.length > maxSymbols) throw damaged();
  }
  return { table: buildFseTable(counts, log), end: (position + 7) >>> 3 };
}

/** Behind a count of zero: how many more zeros follow, two bits at a time, until a run is shorter than three. */
function pushZeroRuns(counts: number[], read: (count: number) => number): void {
  for (;;) {
    const run = read(2);
    for (let i = 0; i < run; i++) counts.push(0);
    if (run < 3) return;
  }
}

/** Indexed by the next `log` bits: the symbol in the low byte, its number of bits above. */
export interface HuffmanTable {
  readonly log: number;
  readonly entries: Uint16Array;
}

const MAX_HUFFMAN_LOG = 11;
const MAX_WEIGHTS = 255;

/** @returns the table that `bytes` describe from `start` on, and where its description ends */
export function readHuffmanTable(bytes: Uint8Array, start: number): { table: HuffmanTable; end: number } {
  const header = bytes[start];
  if (header === undefined) throw damaged();
  const packed = header >= 128;
  const end = start + 1 + (packed ? (header - 126) >> 1 : header);
  if (end > bytes.length) throw damaged();
  const weights = packed ? unpackWeights(bytes, start + 1, header - 127) : readWeights(bytes.subarray(start + 1, end));
  return { table: buildHuffmanTable(weights), end };
}

function unpackWeights(bytes: Uint8Array, start: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => (bytes[start + (i >> 1)]! >> (i % 2 === 0 ? 4 : 0)) & 15);
}

/** Weights are coded by two states that take turns until the bits run out. */
function readWeights(bytes: Uint8Array): number[] {
  const { table, end } = readFseTable(bytes, 0, 6, MAX_WEIGHTS + 1);
  const bits = new BackwardBits(bytes.subarray(end));
  const weights: number[] = [];
  const states = [bits.read(table.log), bits.read(table.log)];
  for (let turn = 0; ; turn ^= 1) {
    const state = table.states[states[turn]!]!;
    weights.push(state & 0xff);
    states[turn] = (state >>> 16) + bits.readPadded((state >>> 8) & 0xff);
    if (bits.left < 0) {
      weights.push(table.states[states[turn ^ 1]!]! & 0xff);
      break;
    }
    if (weights.length >= MAX_WEIGHTS) throw damaged();
  }
  return weights;
}

/** @param weights of all symbols but the last, whose weight fills the table up */
function buildHuffmanTable(weights: number[]): HuffmanTable {
  if (weights.length > MAX_WEIGHTS || weights.some((weight) => weight > MAX_HUFFMAN_LOG)) throw damaged();
  const used = weights.reduce((sum, weight) => sum + (weight === 0 ? 0 : 1 << (weight - 1)), 0);
  const log = 32 - Math.clz32(used);
  const rest = (1 << log) - used;
  if (used === 0 || log > MAX_HUFFMAN_LOG || (rest & (rest - 1)) !== 0) throw damaged();
  weights.push(32 - Math.clz32(rest));
  const entries = new Uint16Array(1 << log);
  let position = 0;
  for (let weight = 1; weight <= log; weight++) {
    for (let symbol = 0; symbol < weights.length; symbol++) {
      if (weights[symbol] !== weight) continue;
      const width = 1 << (weight - 1);
      entries.fill(((log + 1 - weight) << 8) | symbol, position, position + width);
      position += width;
    }
  }
  return { log, entries };
}

/** Fills `target` from `bytes`, which must hold exactly that many symbols. */
export function readHuffmanStream(bytes: Uint8Array, table: HuffmanTable, target: Uint8Array): void {
  const { log, entries } = table;
  const last = bytes.at(-1) ?? 0;
  if (last === 0) throw damaged();
  const shift = 32 - log;
  let left = bytes.length * 8 - 1 - (Math.clz32(last) - 24);
  let i = 0;
  // 32 bits loaded give at least 25, enough for two symbols of at most 11.
  for (; left > 32 && i + 1 < target.length; i += 2) {
    let word = loadTop(bytes, left);
    const first = entries[word >>> shift]!;
    word <<= first >> 8;
    const second = entries[word >>> shift]!;
    target[i] = first;
    target[i + 1] = second;
    left -= (first >> 8) + (second >> 8);
  }
  for (; i < target.length; i++) {
    const entry = entries[loadTop(bytes, left) >>> shift]!;
    target[i] = entry;
    left -= entry >> 8;
    if (left < 0) throw damaged();
  }
  if (left !== 0) throw damaged();
}

/** The bits below position `left`, at the top of a 32-bit word; zeros stand for bits before the first. */
function loadTop(bytes: Uint8Array, left: number): number {
  const end = (left + 7) >>> 3;
  const word =
    end >= 4
      ? bytes[end - 4]! | (bytes[end - 3]! << 8) | (bytes[end - 2]! << 16) | (bytes[end - 1]! << 24)
      : loadShort(bytes, end);
  return word << (end * 8 - left);
}

function loadShort(bytes: Uint8Array, end: number): number {
  let word = 0;
  for (let i = 0; i < end; i++) word |= bytes[i]! << (8 * (4 - end + i));
  return word;
}
