/** Truths kept among the notes of their version, so that they go when the version goes. */
import { readBinaryNote, writeBinaryNote } from '../version/state/catalog.js';
import type { Manifest } from '../version/sealed/manifest.js';
import type { TruthCache } from './truth.js';

/** 128 bits of the key: enough that no two truths of a version share a file. */
const KEY_DIGITS = 32;

/** The largest truth that is kept (truth.ts), with its digest. */
const MAX_TRUTH_BYTES = 2 ** 30 + 4096;

/** A cache that cannot be read or written (a read-only root, a full disk) costs time, not the measurement. */
export function noteTruthCache(root: string, { index, version }: Manifest): TruthCache {
  const note = (key: string) => `truth-${key.slice(0, KEY_DIGITS)}`;
  return {
    read: (key) => readBinaryNote(root, index, version, note(key), MAX_TRUTH_BYTES).catch(() => null),
    write: (key, bytes) => writeBinaryNote(root, index, version, note(key), bytes).catch(() => undefined),
  };
}
