/** Sets and removes aliases in an object store. Each is one object, and of two writers the later one wins. */
import { ShortlistError } from '../base/errors.js';
import { checkName } from '../version/disk/paths.js';
import { resolveVersion } from '../version/state/catalog.js';
import { checkNewAlias, unknownAlias, unlessDamaged, type AliasChange } from '../version/state/publish.js';
import { aliasDocument, aliasPlace } from '../version/state/state.js';
import { keyOf, readDocument, writeDocument } from './documents.js';
import type { MoveOptions } from './moves.js';
import type { ObjectStore } from './objects/object-store.js';
import { storeFiles } from './store-files.js';
import { requireWhole } from './whole.js';

type AliasOptions = Pick<MoveOptions, 'dryRun' | 'now' | 'signal'>;

/** Writers that may come between the look at an alias and its change. */
const MAX_ATTEMPTS = 20;

interface Before {
  readonly tag: string | null;
  readonly version: string | null;
}

/** @param ref a version, or another alias of it @throws usage, version_not_found, file_missing, index_busy */
export async function setAliasInStore(
  store: ObjectStore,
  index: string,
  alias: string,
  ref: string,
  options: AliasOptions = {},
): Promise<AliasChange> {
  checkNewAlias(alias);
  const version = await resolveVersion(store.url, index, ref, storeFiles(store));
  await requireWhole(store, index, version, options.signal);
  const document = aliasDocument(index, alias, version, options.now?.() ?? new Date());
  const { path } = aliasPlace(store.url, index, alias);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    options.signal?.throwIfAborted();
    const before = await readBefore(store, index, alias);
    const isDone = options.dryRun === true || (await writeDocument(store, path, document, before.tag));
    if (isDone) return { index, alias, version, previous: before.version };
  }
  const message = `other writers changed the alias '${alias}' of index '${index}' ${MAX_ATTEMPTS} times meanwhile; try again`;
  throw new ShortlistError('index_busy', message, { index, alias });
}

/** @throws version_not_found if there is no such alias */
export async function removeAliasInStore(
  store: ObjectStore,
  index: string,
  alias: string,
  options: AliasOptions = {},
): Promise<AliasChange> {
  checkName('index', index);
  checkName('alias', alias);
  const { tag, version } = await readBefore(store, index, alias);
  if (tag === null) throw await unknownAlias(store.url, index, alias, storeFiles(store));
  options.signal?.throwIfAborted();
  if (options.dryRun !== true) await store.remove(keyOf(store, aliasPlace(store.url, index, alias).path), tag);
  return { index, alias, version: null, previous: version };
}

/** A damaged alias has a tag and no version. */
async function readBefore(store: ObjectStore, index: string, alias: string): Promise<Before> {
  const place = aliasPlace(store.url, index, alias);
  const found = await readDocument(store, place).catch(unlessDamaged);
  if (found !== null) return { tag: found.tag, version: found.value };
  return { tag: (await store.head(keyOf(store, place.path)))?.tag ?? null, version: null };
}
