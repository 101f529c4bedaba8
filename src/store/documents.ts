/**
 * The sealed documents of an index in a store (CURRENT, HISTORY, REFUSALS, aliases), each with the tag under which it
 * was read. A write names the tag that it replaces, so that no writer overwrites what it has not seen.
 *
 * The URL of a store takes the place of the root: version/disk/paths.ts builds the paths, and the key of an object is
 * what follows the URL.
 */
import { checkSealed, sealJson, type SealedPlace } from '../version/disk/sealed-json.js';
import { readIfChanged, type ObjectStore } from './objects/object-store.js';

export interface StoredDocument<T> {
  readonly value: T;
  readonly tag: string;
}

export function keyOf(store: ObjectStore, path: string): string {
  return path.slice(store.url.length + 1);
}

/** Null if there is none. @throws the error of the place if the document is damaged */
export async function readDocument<T>(
  store: ObjectStore,
  place: SealedPlace<T>,
  signal?: AbortSignal,
): Promise<StoredDocument<T> | null> {
  const found = await readDocumentIfChanged(store, place, undefined, signal);
  return found === 'unchanged' ? null : found;
}

export async function readDocumentIfChanged<T>(
  store: ObjectStore,
  place: SealedPlace<T>,
  unlessTag: string | undefined,
  signal?: AbortSignal,
): Promise<StoredDocument<T> | 'unchanged' | null> {
  const found = await readIfChanged(store, keyOf(store, place.path), place.maxBytes, { unlessTag, signal });
  if (found === null || found === 'unchanged') return found;
  return { value: checkSealed(place, found.bytes), tag: found.tag };
}

/** @param expected the tag that is replaced; null: there was none @returns false if it is another by now */
export function writeDocument(
  store: ObjectStore,
  path: string,
  document: object,
  expected: string | null,
): Promise<boolean> {
  return store.putIf(keyOf(store, path), Buffer.from(sealJson(document)), expected);
}
