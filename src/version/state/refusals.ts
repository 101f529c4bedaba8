/**
 * REFUSALS: what the gate refused to publish. It is not part of HISTORY, since a rollback follows HISTORY and a refusal
 * moves nothing. Written under the publish lock, read without a lock.
 */
import { ShortlistError } from '../../base/errors.js';
import type { Fields } from '../disk/fields.js';
import type { FileSystem } from '../disk/files.js';
import { refusalsPath } from '../disk/paths.js';
import { readSealed, writeSealed, type SealedPlace } from '../disk/sealed-json.js';
import { checkMarks, checkPlace, checkVersion, MAX_HISTORY_BYTES, MAX_HISTORY_ENTRIES, STATE_FORMAT } from './state.js';

export interface Refusal {
  readonly version: string;
  /** Sequence of the last move before it; 0 if there was none. Unlike times, it does not depend on clocks. */
  readonly after: number;
  readonly at: string;
  /** The reason given for the publish that was refused. */
  readonly reason: string | null;
  readonly who: string | null;
  /** Why it was refused, in one sentence. */
  readonly refused_by: string;
  /** Present if the publish announced vectors of a new model. */
  readonly new_embedding?: true;
}

/** Oldest first; none if there is no such file. */
export async function readRefusals(root: string, index: string, files: FileSystem): Promise<readonly Refusal[]> {
  return (await readSealed(refusalsPlace(root, index), files)) ?? [];
}

/** The caller holds the publish lock. A damaged file is replaced, since its entries are lost already. */
export async function appendRefusal(root: string, index: string, refusal: Refusal, files: FileSystem): Promise<void> {
  const before = await readRefusals(root, index, files).catch((error: unknown) => {
    if (error instanceof ShortlistError && error.code === 'state_corrupt') return [];
    throw error;
  });
  await writeSealed(refusalsPath(root, index), refusalsDocument(index, [...before, refusal]), files);
}

export function refusalsDocument(index: string, refusals: readonly Refusal[]): object {
  return { format: STATE_FORMAT, index, entries: refusals.slice(-MAX_HISTORY_ENTRIES) };
}

export function refusalsPlace(root: string, index: string): SealedPlace<readonly Refusal[]> {
  const check = (fields: Fields): readonly Refusal[] => {
    checkPlace(fields, index);
    return fields.list('entries', checkRefusal);
  };
  const remedy = 'remove it: what is published does not depend on it';
  return { path: refusalsPath(root, index), code: 'state_corrupt', maxBytes: MAX_HISTORY_BYTES, remedy, check };
}

function checkRefusal(fields: Fields): Refusal {
  return {
    version: checkVersion(fields, 'version'),
    after: fields.integer('after'),
    at: fields.instant('at'),
    reason: fields.textOrNull('reason'),
    who: fields.textOrNull('who'),
    refused_by: fields.text('refused_by'),
    ...checkMarks(fields),
  };
}
