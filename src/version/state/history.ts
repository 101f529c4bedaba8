/** What happened to the published state, for people: moves and refusals in one list. */
import { ShortlistError } from '../../base/errors.js';
import { requireIndex } from './catalog.js';
import { nodeFiles, type FileSystem } from '../disk/files.js';
import { readRefusals } from './refusals.js';
import { readHistory } from './state.js';

export interface HistoryEntry {
  readonly action: 'publish' | 'rollback' | 'refuse';
  readonly version: string;
  /** What was published before (after a refusal it still is); null if nothing was, or if it is no longer known. */
  readonly previous: string | null;
  readonly at: string;
  readonly reason: string | null;
  readonly who: string | null;
  /** Why the gate refused the version. */
  readonly refused_by?: string;
  /** Why the gate refused the version that was published by force. */
  readonly forced?: string;
  /** Names of the gate's checks that warned. */
  readonly warned?: readonly string[];
  /** Present if the publish announced vectors of a new model. */
  readonly new_embedding?: true;
}

/** Oldest first. If REFUSALS is damaged, moves are still listed. @throws index_not_found, state_corrupt */
export async function readEntries(
  root: string,
  index: string,
  files: FileSystem = nodeFiles,
): Promise<{ entries: HistoryEntry[]; damage: ShortlistError | null }> {
  await requireIndex(root, index, files);
  const moves = await readHistory(root, index, files);
  let damage: ShortlistError | null = null;
  const refusals = await readRefusals(root, index, files).catch((error: unknown) => {
    if (!(error instanceof ShortlistError)) throw error;
    damage = error;
    return [];
  });
  const versionAt = new Map(moves.map(({ sequence, version }) => [sequence, version]));
  const dated = [
    ...moves.map(({ sequence, ...entry }) => ({ order: sequence, entry })),
    ...refusals.map(({ after, ...refusal }) => ({
      order: after + 0.5,
      entry: { action: 'refuse' as const, previous: versionAt.get(after) ?? null, ...refusal },
    })),
  ];
  // Refusals after one move keep the order in which they were written, since the sort is stable.
  return { entries: dated.sort((a, b) => a.order - b.order).map(({ entry }) => entry), damage };
}
