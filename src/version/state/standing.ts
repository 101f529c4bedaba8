/**
 * What became of the versions of an index: which is published, which were, which the gate refused. Takes what
 * CURRENT, HISTORY and the gate's notes say. HISTORY keeps the newest moves and may be lost, so a version that the
 * gate has passed and HISTORY does not tell of counts as published before all others.
 */
import type { FileSystem } from '../disk/files.js';
import { readNote } from './notes.js';
import type { Move } from './state.js';

/** `new`: never published, and not refused. */
export type Standing = 'current' | 'published' | 'refused' | 'new';

export interface VersionStanding {
  readonly version: string;
  readonly standing: Standing;
  /** Grows with the time at which it was published last; 0 where HISTORY does not say. */
  readonly lastMove: number;
}

/** In the order of the names. @param current what is published; HISTORY may say otherwise where CURRENT was removed */
export async function readStandings(
  root: string,
  index: string,
  names: readonly string[],
  { current, moves }: { readonly current: string | null; readonly moves: readonly Move[] },
  files: FileSystem,
): Promise<VersionStanding[]> {
  const lastMoves = lastMovesOf(moves);
  const standings: VersionStanding[] = [];
  for (const version of names) {
    const lastMove = lastMoves.get(version) ?? 0;
    let standing: Standing = version === current ? 'current' : 'published';
    if (!lastMoves.has(version)) standing = await standingByGate(root, index, version, files);
    standings.push({ version, standing, lastMove });
  }
  return standings;
}

function lastMovesOf(moves: readonly Move[]): Map<string, number> {
  const last = new Map<string, number>();
  for (const { version, previous, sequence } of moves) {
    if (previous !== null && !last.has(previous)) last.set(previous, sequence - 1);
    last.set(version, sequence);
  }
  return last;
}

async function standingByGate(root: string, index: string, version: string, files: FileSystem): Promise<Standing> {
  // A note that is damaged says nothing, and is no reason to stop.
  const gate = await readNote(root, index, version, 'gate', files).catch(() => null);
  if (gate === null) return 'new';
  return gate['pass'] === true ? 'published' : 'refused';
}
