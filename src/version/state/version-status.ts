/**
 * The status of each version of an index: published now, published before, refused by the gate, or new. Taken from
 * CURRENT, HISTORY and the gate's notes. HISTORY keeps only the newest moves and may be lost, so a version that passed
 * the gate and is not in HISTORY counts as published before all others.
 */
import type { FileSystem } from '../disk/files.js';
import { readNote } from './notes.js';
import type { Move } from './state.js';

/** `new`: never published, and not refused. */
export type Status = 'current' | 'published' | 'refused' | 'new';

export interface VersionStatus {
  readonly version: string;
  readonly status: Status;
  /** Sequence of its last publish or rollback; 0 if HISTORY does not have it. */
  readonly lastMove: number;
}

/** In the order of the names. @param current what is published; HISTORY may disagree if CURRENT was removed */
export async function readVersionStatuses(
  root: string,
  index: string,
  names: readonly string[],
  { current, moves }: { readonly current: string | null; readonly moves: readonly Move[] },
  files: FileSystem,
): Promise<VersionStatus[]> {
  const lastMoves = lastMovesOf(moves);
  const statuses: VersionStatus[] = [];
  for (const version of names) {
    const lastMove = lastMoves.get(version) ?? 0;
    let status: Status = version === current ? 'current' : 'published';
    if (!lastMoves.has(version)) status = await statusByGate(root, index, version, files);
    statuses.push({ version, status, lastMove });
  }
  return statuses;
}

function lastMovesOf(moves: readonly Move[]): Map<string, number> {
  const last = new Map<string, number>();
  for (const { version, previous, sequence } of moves) {
    if (previous !== null && !last.has(previous)) last.set(previous, sequence - 1);
    last.set(version, sequence);
  }
  return last;
}

async function statusByGate(root: string, index: string, version: string, files: FileSystem): Promise<Status> {
  // A damaged note says nothing, and is no reason to fail.
  const gate = await readNote(root, index, version, 'gate', files).catch(() => null);
  if (gate === null) return 'new';
  return gate['pass'] === true || gate['forced'] === true ? 'published' : 'refused';
}
