/**
 * Opens the object store at a URL. The client of a cloud is a large package that most users do not need: it is an
 * optional peer, and is loaded only here.
 *
 * Whoever has a store can read any range of an object by its key, write one, and write one on a condition: that is all
 * that versions, and the parts of a build on many machines, need of it.
 */
import { ShortlistError } from '../../base/errors.js';
import type { ObjectStore } from './object-store.js';
import { parseStoreUrl } from './store-url.js';

/** @throws usage for a text that is no URL of a store, client_missing */
export async function openStore(url: string, env: NodeJS.ProcessEnv = process.env): Promise<ObjectStore> {
  const place = parseStoreUrl(url);
  switch (place.scheme) {
    case 'file':
      return new (await import('./file-store.js')).FileStore(place.url, place.folder);
    case 's3': {
      const sdk = await load('@aws-sdk/client-s3', 's3://', () => import('@aws-sdk/client-s3'));
      return (await import('./s3-store.js')).openS3Store(sdk, place, env);
    }
    case 'gs': {
      const sdk = await load('@google-cloud/storage', 'gs://', () => import('@google-cloud/storage'));
      return (await import('./gs-store.js')).openGsStore(sdk, place, env);
    }
  }
}

async function load<T>(name: string, scheme: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const isMissing = (cause as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND';
    const problem = isMissing ? 'is not installed' : `cannot be loaded: ${(cause as Error).message}`;
    const message = `stores at ${scheme} need the package ${name}, which ${problem}; install it beside shortlist: npm install ${name}`;
    throw new ShortlistError('client_missing', message, { package: name }, { cause });
  }
}
