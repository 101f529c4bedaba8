/**
 * The sequences of a Zstandard block (RFC 8878, 3.1.1.3.2): how many literals to copy, then how much to repeat and from
 * how far back. Every length and distance is checked before it is used, so a block writes at most its 128 KiB.
 */
import {
  BackwardBits,
  buildFseTable,
  damaged,
  MAX_BLOCK_BYTES,
  readFseTable,
  readLittleEndian,
  singleSymbolTable,
  type FseTable,
} from './zstd-entropy.js';

/** What the sequences of one block leave to those of the next. */
export interface SequenceState {
  readonly tables: { literals: FseTable | null; offsets: FseTable | null; matches: FseTable | null };
  /** The three distances used last. */
  readonly distances: Uint32Array;
}

export function newSequenceState(): SequenceState {
  return { tables: { literals: null, offsets: null, matches: null }, distances: Uint32Array.of(1, 4, 8) };
}

/**
 * Runs the sequences that `block` has from `at` to its end.
 * @param to where in `target` the block's contents go; what is before has been decoded
 * @returns where they end
 */
export function decodeSequences(
  block: Uint8Array,
  at: number,
  state: SequenceState,
  literals: Uint8Array,
  target: Uint8Array,
  to: number,
): number {
  const { count, start } = readSequenceCount(block, at);
  if (count === 0) {
    if (start !== block.length || to + literals.length > target.length) throw damaged();
    target.set(literals, to);
    return to + literals.length;
  }
  const bits = new BackwardBits(block.subarray(readTables(block, start, state)));
  return runSequences(bits, count, state, literals, target, to);
}

function readSequenceCount(block: Uint8Array, at: number): { count: number; start: number } {
  const first = readLittleEndian(block, at, 1);
  if (first < 128) return { count: first, start: at + 1 };
  if (first < 255) return { count: ((first - 128) << 8) + readLittleEndian(block, at + 1, 1), start: at + 2 };
  return { count: readLittleEndian(block, at + 1, 2) + 0x7f00, start: at + 3 };
}

/** One of the three codes of a sequence. */
interface CodeKind {
  readonly name: keyof SequenceState['tables'];
  /** Where its mode is in the byte of modes. */
  readonly shift: number;
  readonly maxLog: number;
  readonly symbols: number;
  readonly predefined: FseTable;
}

const repeat = (value: number, times: number): number[] => Array.from({ length: times }, () => value);

/** In the order in which a block describes them, with the tables of RFC 8878, 3.1.1.3.2.2. */
const CODE_KINDS: readonly CodeKind[] = [
  {
    name: 'literals',
    shift: 6,
    maxLog: 9,
    symbols: 36,
    predefined: buildFseTable(
      [4, 3, ...repeat(2, 11), 1, 1, 1, ...repeat(2, 9), 3, 2, ...repeat(1, 5), ...repeat(-1, 4)],
      6,
    ),
  },
  {
    name: 'offsets',
    shift: 4,
    maxLog: 8,
    symbols: 32,
    predefined: buildFseTable([...repeat(1, 6), 2, 2, 2, ...repeat(1, 15), ...repeat(-1, 5)], 5),
  },
  {
    name: 'matches',
    shift: 2,
    maxLog: 9,
    symbols: 53,
    predefined: buildFseTable([1, 4, 3, ...repeat(2, 6), ...repeat(1, 37), ...repeat(-1, 7)], 6),
  },
];

/** @returns where the bits of the sequences begin */
function readTables(block: Uint8Array, start: number, state: SequenceState): number {
  const modes = readLittleEndian(block, start, 1);
  if ((modes & 3) !== 0) throw damaged();
  let at = start + 1;
  for (const kind of CODE_KINDS) {
    const mode = (modes >> kind.shift) & 3;
    if (mode === 0) state.tables[kind.name] = kind.predefined;
    else if (mode === 1) {
      const symbol = readLittleEndian(block, at++, 1);
      if (symbol >= kind.symbols) throw damaged();
      state.tables[kind.name] = singleSymbolTable(symbol);
    } else if (mode === 2) {
      const { table, end } = readFseTable(block, at, kind.maxLog, kind.symbols);
      state.tables[kind.name] = table;
      at = end;
    }
  }
  return at;
}

/** Codes stand for a base plus as many bits as here. */
const LITERAL_BITS = Uint8Array.of(...repeat(0, 16), 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
const MATCH_BITS = Uint8Array.of(
  ...repeat(0, 32),
  1,
  1,
  1,
  1,
  2,
  2,
  3,
  3,
  4,
  4,
  5,
  7,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  16,
);
const LITERAL_BASES = basesOf(LITERAL_BITS, 0);
const MATCH_BASES = basesOf(MATCH_BITS, 3);

/** Each code begins where the one before ends. */
function basesOf(bits: Uint8Array, first: number): Uint32Array {
  let next = first;
  return Uint32Array.from(bits, (count) => {
    const base = next;
    next += 1 << count;
    return base;
  });
}

/** The hot loop: states are single words, and nothing is allocated. */
function runSequences(
  bits: BackwardBits,
  count: number,
  state: SequenceState,
  literals: Uint8Array,
  target: Uint8Array,
  start: number,
): number {
  const { literals: literalTable, offsets: offsetTable, matches: matchTable } = state.tables;
  if (literalTable === null || offsetTable === null || matchTable === null) throw damaged();
  const end = Math.min(target.length, start + MAX_BLOCK_BYTES);
  let literalState = literalTable.states[bits.read(literalTable.log)]!;
  let offsetState = offsetTable.states[bits.read(offsetTable.log)]!;
  let matchState = matchTable.states[bits.read(matchTable.log)]!;
  let to = start;
  let literalsDone = 0;
  for (let left = count; ;) {
    const offset = bits.readOffset(offsetState & 0xff);
    const matchCode = matchState & 0xff;
    const match = MATCH_BASES[matchCode]! + bits.read(MATCH_BITS[matchCode]!);
    const literalCode = literalState & 0xff;
    const run = LITERAL_BASES[literalCode]! + bits.read(LITERAL_BITS[literalCode]!);
    const distance = takeDistance(state.distances, offset, run === 0);
    if (literalsDone + run > literals.length || to + run + match > end || distance > to + run) throw damaged();
    copyLiterals(literals, literalsDone, run, target, to);
    to += run;
    literalsDone += run;
    copyMatch(target, to, distance, match);
    to += match;
    if (--left === 0) break;
    literalState = literalTable.states[bits.readState(literalState)]!;
    matchState = matchTable.states[bits.readState(matchState)]!;
    offsetState = offsetTable.states[bits.readState(offsetState)]!;
  }
  const rest = literals.length - literalsDone;
  if (bits.left !== 0 || to + rest > end) throw damaged();
  copyLiterals(literals, literalsDone, rest, target, to);
  return to + rest;
}

/** Offsets 1 to 3 stand for distances used before; one further where no literals precede the match. */
function takeDistance(distances: Uint32Array, offset: number, noLiterals: boolean): number {
  const first = distances[0]!;
  let distance = offset - 3;
  let which = 4;
  if (offset <= 3) {
    which = noLiterals ? offset + 1 : offset;
    if (which === 1) return first;
    distance = which === 4 ? first - 1 : distances[which - 1]!;
    if (distance === 0) throw damaged();
  }
  if (which > 2) distances[2] = distances[1]!;
  distances[1] = first;
  distances[0] = distance;
  return distance;
}

/** Below this a loop is faster than a call. */
const SHORT_BYTES = 32;

function copyLiterals(literals: Uint8Array, from: number, count: number, target: Uint8Array, to: number): void {
  if (count > SHORT_BYTES) target.set(literals.subarray(from, from + count), to);
  else for (let i = 0; i < count; i++) target[to + i] = literals[from + i]!;
}

/** A match may reach into itself: it then repeats what it has just written. */
function copyMatch(target: Uint8Array, to: number, distance: number, count: number): void {
  if (count > SHORT_BYTES && distance >= count) target.copyWithin(to, to - distance, to - distance + count);
  else for (let i = to; i < to + count; i++) target[i] = target[i - distance]!;
}
