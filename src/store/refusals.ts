/** Records in a store that the gate refused a version. What is published does not change. */
import { ShortlistError } from '../base/errors.js';
import { reasonOf } from '../version/state/change.js';
import { refusalsDocument, refusalsPlace, type Refusal } from '../version/state/refusals.js';
import { readHistory } from '../version/state/state.js';
import { readDocument, writeDocument, type StoredDocument } from './documents.js';
import type { MoveOptions } from './moves.js';
import type { ObjectStore } from './objects/object-store.js';
import { storeFiles } from './store-files.js';

interface RefuseOptions extends Omit<MoveOptions, 'dryRun'> {
  /** Why it was refused, in one sentence. */
  readonly refusedBy: string;
  readonly newEmbedding?: boolean | undefined;
}

/** Others who record a refusal meanwhile. */
const MAX_ATTEMPTS = 20;

/** @returns false if it could not be recorded, which is no reason to fail */
export async function refuseInStore(
  store: ObjectStore,
  index: string,
  version: string,
  options: RefuseOptions,
): Promise<boolean> {
  const { refusedBy, newEmbedding, now, signal } = options;
  const marks = newEmbedding === true ? { new_embedding: true as const } : {};
  const at = (now?.() ?? new Date()).toISOString();
  const place = refusalsPlace(store.url, index);
  try {
    const after = (await readHistory(store.url, index, storeFiles(store))).at(-1)?.sequence ?? 0;
    const refusal = { version, after, at, ...reasonOf(options), refused_by: refusedBy, ...marks };
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
      const before = await readDocument(store, place, signal).catch(unlessDamaged);
      if (before === 'damaged') return false;
      const document = refusalsDocument(index, [...(before?.value ?? []), refusal]);
      if (await writeDocument(store, place.path, document, before?.tag ?? null)) return true;
    }
  } catch (error) {
    if (!(error instanceof ShortlistError)) throw error;
  }
  return false;
}

type Before = StoredDocument<readonly Refusal[]> | null;

function unlessDamaged(error: unknown): Before | 'damaged' {
  if (error instanceof ShortlistError && error.code === 'state_corrupt') return 'damaged';
  throw error;
}
