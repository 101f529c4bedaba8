/**
 * One compressed block of Zstandard (RFC 8878, 3.1.1.3): literals, and sequences that say how many of them to copy and
 * what to repeat behind them.
 */
import {
  damaged,
  MAX_BLOCK_BYTES,
  readHuffmanStream,
  readHuffmanTable,
  readLittleEndian,
  type HuffmanTable,
} from './zstd-entropy.js';
import { decodeSequences, newSequenceState, type SequenceState } from './zstd-sequences.js';

/** What one block leaves to the next. */
interface BlockState {
  huffman: HuffmanTable | null;
  readonly literals: Uint8Array;
  readonly sequences: SequenceState;
}

export function newBlockState(): BlockState {
  return { huffman: null, literals: new Uint8Array(MAX_BLOCK_BYTES), sequences: newSequenceState() };
}

/**
 * @param to where in `target` the block's contents go; what is before has been decoded
 * @returns where they end
 */
export function decodeBlock(block: Uint8Array, state: BlockState, target: Uint8Array, to: number): number {
  const { literals, end } = readLiterals(block, state);
  return decodeSequences(block, end, state.sequences, literals, target, to);
}

interface Literals {
  readonly literals: Uint8Array;
  readonly end: number;
}

function readLiterals(block: Uint8Array, state: BlockState): Literals {
  const type = block[0]! & 3;
  return type < 2 ? readPlainLiterals(block, type === 1, state) : readCodedLiterals(block, type === 3, state);
}

/** Bytes as they are, or one byte repeated. */
function readPlainLiterals(block: Uint8Array, repeated: boolean, state: BlockState): Literals {
  const format = (block[0]! >> 2) & 3;
  const headerBytes = format === 1 ? 2 : format === 3 ? 3 : 1;
  const size = readLittleEndian(block, 0, headerBytes) >>> (headerBytes === 1 ? 3 : 4);
  if (size > MAX_BLOCK_BYTES) throw damaged();
  const end = headerBytes + (repeated ? 1 : size);
  if (end > block.length) throw damaged();
  if (!repeated) return { literals: block.subarray(headerBytes, end), end };
  return { literals: state.literals.subarray(0, size).fill(block[headerBytes]!), end };
}

/** Huffman-coded, with a table of their own or the one of the block before, in one stream or four. */
function readCodedLiterals(block: Uint8Array, keepsTable: boolean, state: BlockState): Literals {
  const format = (block[0]! >> 2) & 3;
  const headerBytes = [3, 3, 4, 5][format]!;
  const sizeBits = [10, 10, 14, 18][format]!;
  const sizes = readLittleEndian(block, 0, headerBytes);
  const size = Math.floor(sizes / 16) % 2 ** sizeBits;
  const codedBytes = Math.floor(sizes / 2 ** (4 + sizeBits));
  const end = headerBytes + codedBytes;
  if (size > MAX_BLOCK_BYTES || end > block.length) throw damaged();
  const coded = block.subarray(headerBytes, end);
  let streamStart = 0;
  if (!keepsTable) ({ table: state.huffman, end: streamStart } = readHuffmanTable(coded, 0));
  if (state.huffman === null) throw damaged();
  const literals = state.literals.subarray(0, size);
  const streams = coded.subarray(streamStart);
  if (format === 0) readHuffmanStream(streams, state.huffman, literals);
  else readFourStreams(streams, state.huffman, literals);
  return { literals, end };
}

/** Three lengths, then four streams of a quarter of the literals each. */
function readFourStreams(bytes: Uint8Array, table: HuffmanTable, literals: Uint8Array): void {
  const quarter = (literals.length + 3) >> 2;
  if (bytes.length < 6 || 3 * quarter > literals.length) throw damaged();
  let from = 6;
  for (let i = 0; i < 4; i++) {
    const end = i === 3 ? bytes.length : from + readLittleEndian(bytes, 2 * i, 2);
    if (end > bytes.length) throw damaged();
    readHuffmanStream(
      bytes.subarray(from, end),
      table,
      literals.subarray(i * quarter, i === 3 ? undefined : (i + 1) * quarter),
    );
    from = end;
  }
}
