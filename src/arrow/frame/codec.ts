/**
 * Decompresses the buffers of a batch. Returns exactly as many bytes as the buffer declares, or fails. The decompressed
 * size is checked before memory is allocated for it.
 */
import type * as Lz4 from 'lz4-napi';
import { ShortlistError } from '../../base/errors.js';
import { ArrowFault, corrupt } from '../fault.js';
import { measureLz4Frame } from './lz4-frame.js';
import type { Codec } from './message.js';
import { decodeZstd } from './zstd-decoder.js';
import { measureZstdFrame } from './zstd-frame.js';

/** @param turn awaited between steps of a few milliseconds at most */
export async function decompress(
  codec: Codec,
  bytes: Uint8Array,
  length: number,
  turn: Turn = () => Promise.resolve(),
): Promise<Uint8Array> {
  return codec === 'lz4' ? decompressLz4(bytes, length, turn) : decompressZstd(bytes, length);
}

type Turn = () => Promise<void>;

/** Runs the steps of a decoder, and awaits `turn` between them. @returns what the decoder returns */
async function runSteps<T>(steps: Generator<void, T, void>, turn: Turn): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await turn();
  }
}

async function decompressLz4(bytes: Uint8Array, length: number, turn: Turn): Promise<Uint8Array> {
  const { end, contentBytes } = await runSteps(measureLz4Frame(bytes), turn);
  checkLength(contentBytes, length);
  const { decompressFrame } = await loadLz4();
  return checkContent(await decompressFrame(bytes.subarray(0, end)).catch(damaged), length);
}

async function loadLz4(): Promise<typeof Lz4> {
  try {
    return await import('lz4-napi');
  } catch (cause) {
    const message = 'the lz4-napi addon for this platform is not installed; run npm ci with optional packages';
    throw new ShortlistError('addon_missing', message, { addon: 'lz4-napi' }, { cause });
  }
}

async function decompressZstd(bytes: Uint8Array, length: number): Promise<Uint8Array> {
  const { end, contentBytes, maxContentBytes } = measureZstdFrame(bytes);
  if (contentBytes !== null) checkLength(contentBytes, length);
  if (maxContentBytes < length) {
    throw corrupt(`a compressed buffer decompresses to at most ${maxContentBytes} bytes but declares ${length}`);
  }
  return checkContent(await decodeZstd(bytes.subarray(0, end), length).catch(damaged), length);
}

function checkLength(actual: number, declared: number): void {
  if (actual !== declared)
    throw corrupt(`a compressed buffer decompresses to ${actual} bytes but declares ${declared}`);
}

function checkContent(content: Uint8Array, length: number): Uint8Array {
  checkLength(content.length, length);
  return content;
}

/** Turns an error of a library into a fault of the bytes. */
function damaged(error: unknown): never {
  if (error instanceof ArrowFault || error instanceof ShortlistError) throw error;
  throw corrupt(`a compressed buffer is damaged (${error instanceof Error ? error.message : String(error)})`);
}
