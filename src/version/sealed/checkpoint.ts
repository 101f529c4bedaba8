/**
 * How far an unfinished build is: CHECKPOINT.json in the index's staging, replaced after each stage. The next build of
 * the same input and options continues from there (version-writer.ts).
 *
 * It names the directory in staging and the complete files in it. A file counts only if its bytes are still those of
 * the checkpoint: after a power loss they may not be. Whoever reads it holds the build lock.
 */
import { join } from 'node:path';
import { attempt, removeTree } from '../disk/durable.js';
import type { Fields } from '../disk/fields.js';
import type { FileSystem } from '../disk/files.js';
import { stagingPath } from '../disk/paths.js';
import { readSealed, writeSealed } from '../disk/sealed-json.js';
import type { FileEntry, ManifestDraft } from './manifest.js';

const CHECKPOINT_FILE = 'CHECKPOINT.json';

const MAX_CHECKPOINT_BYTES = 64 * 1024 * 1024;

/** The finished graph of one shard. */
export interface GraphCheckpoint {
  readonly figures: Readonly<Record<string, number>>;
  readonly files: readonly FileEntry[];
}

export interface Checkpoint {
  /** Digest of everything that decides the bytes of the version, the release included. */
  readonly key: string;
  /** When it was written: ISO 8601, UTC. */
  readonly at: string;
  /** Name of the directory in staging. */
  readonly directory: string;
  /** The version it became; null before. */
  readonly version: string | null;
  readonly dim: number;
  /** Rows of each shard. */
  readonly counts: readonly number[];
  /** SHA-256 of the first page of each section file, which has the digests of the rest: for each shard vectors, ids. */
  readonly headers: readonly string[];
  /** SHA-256 of each shard's attributes; null without attributes. */
  readonly attributes: readonly string[] | null;
  /** By shard; null: not built yet, or without rows. */
  readonly graphs: readonly (GraphCheckpoint | null)[];
  readonly draft: ManifestDraft;
  /** What the build itself wants to know again. */
  readonly notes: Readonly<Record<string, unknown>>;
}

/** The checkpoint of the last build; null if there is none. @throws state_corrupt, io_error */
export function readCheckpoint(root: string, index: string, files: FileSystem): Promise<Checkpoint | null> {
  const path = checkpointPath(root, index);
  const place = { path, code: 'state_corrupt', maxBytes: MAX_CHECKPOINT_BYTES, remedy: 'remove it', check } as const;
  return readSealed(place, files);
}

export function writeCheckpoint(root: string, index: string, checkpoint: Checkpoint, files: FileSystem): Promise<void> {
  return writeSealed(checkpointPath(root, index), checkpoint, files);
}

/** Removes all of staging. The checkpoint goes first, so that no later build continues from a part of the files. */
export async function discardBuild(root: string, index: string, files: FileSystem): Promise<void> {
  await attempt(files.removeFile(checkpointPath(root, index)));
  await removeTree(stagingPath(root, index), files);
}

function checkpointPath(root: string, index: string): string {
  return join(stagingPath(root, index), CHECKPOINT_FILE);
}

/** Only the members that decide what is deleted are checked: the digest holds, and the key names the release. */
function check(fields: Fields): Checkpoint {
  fields.text('key', /^[0-9a-f]{64}$/);
  fields.text('directory', /^[0-9a-f-]{36}$/);
  return fields.all() as unknown as Checkpoint;
}
