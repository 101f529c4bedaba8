/** Stores truths as notes of their version, so that they are deleted with the version. */
import { readBinaryNote, writeBinaryNote } from '../version/state/catalog.js';
import type { Manifest } from '../version/sealed/manifest.js';
import type { TruthCache } from './truth.js';

/** 128 bits of the key: enough to tell all truths of a version apart. */
const KEY_DIGITS = 32;

/** Size of the largest truth that is stored (truth.ts), with its digest. */
const MAX_TRUTH_BYTES = 2 ** 30 + 4096;

/** If the cache cannot be read or written (read-only root, full disk), the truth is computed again. */
export function noteTruthCache(root: string, { index, version }: Manifest): TruthCache {
  const note = (key: string) => `truth-${key.slice(0, KEY_DIGITS)}`;
  return {
    read: (key) => readBinaryNote(root, index, version, note(key), MAX_TRUTH_BYTES).catch(() => null),
    write: (key, bytes) => writeBinaryNote(root, index, version, note(key), bytes).catch(() => undefined),
  };
}
