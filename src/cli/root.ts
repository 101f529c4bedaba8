/**
 * The root of a command: a folder, or the URL of an object store. A command that only reads gets a file system for
 * either. The code of stores is loaded only for a URL.
 */
import { isStoreUrl } from '../store/objects/store-url.js';
import type { ObjectStore } from '../store/objects/object-store.js';
import { nodeFiles, type FileSystem } from '../version/disk/files.js';

export interface OpenRoot {
  /** The folder, or the URL without a slash at its end. */
  readonly root: string;
  /** Of a store: to read only. */
  readonly files: FileSystem;
  readonly store: ObjectStore | null;
}

/** @throws usage for a URL of no known store, client_missing */
export async function withRoot<T>(root: string, work: (opened: OpenRoot) => Promise<T>): Promise<T> {
  if (!isStoreUrl(root)) return work({ root, files: nodeFiles, store: null });
  const { storeFiles } = await import('../store/store-files.js');
  return withStore(root, (store) => work({ root: store.url, files: storeFiles(store), store }));
}

export async function withStore<T>(url: string, work: (store: ObjectStore) => Promise<T>): Promise<T> {
  const { openStore } = await import('../store/objects/open-store.js');
  const store = await openStore(url);
  try {
    return await work(store);
  } finally {
    store.close();
  }
}
