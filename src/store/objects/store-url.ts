/** URLs of object stores: `s3://bucket/prefix`, `gs://bucket/prefix` and `file:///folder`. */
import { fileURLToPath } from 'node:url';
import { ShortlistError } from '../../base/errors.js';

const SCHEMES = ['s3', 'gs', 'file'] as const;

export type StorePlace =
  | { readonly scheme: 's3' | 'gs'; readonly url: string; readonly bucket: string; readonly prefix: string }
  | { readonly scheme: 'file'; readonly url: string; readonly folder: string };

/** Whether a root is the URL of a store and not a folder. */
export function isStoreUrl(root: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(root);
}

/** Names of buckets as S3 and Google Cloud Storage allow them. */
const BUCKET = /^[a-z0-9][a-z0-9._-]{1,221}$/;
/** One folder of a prefix: nothing that leads upwards, and nothing that a URL would read as something else. */
const FOLDER = /^(?!\.{1,2}$)[^\p{Cc}?#%\\]+$/u;

/** @throws usage */
export function parseStoreUrl(text: string): StorePlace {
  const [, scheme = '', rest = ''] = /^([a-z0-9]+):\/\/(.*)$/s.exec(text) ?? [];
  const known = SCHEMES.find((name) => name === scheme);
  if (known === undefined) throw badUrl(text, 'it does not begin with s3://, gs:// or file://');
  if (known === 'file') return parseFileUrl(text);
  const [bucket = '', ...folders] = rest.replace(/\/+$/, '').split('/');
  if (bucket.includes('@')) throw badUrl(`${known}://...`, 'it has credentials, which belong into the environment');
  if (!BUCKET.test(bucket)) throw badUrl(text, `'${bucket}' is not the name of a bucket`);
  const bad = folders.find((folder) => !FOLDER.test(folder));
  if (bad !== undefined) throw badUrl(text, `'${bad}' cannot be a part of its path`);
  const prefix = folders.map((folder) => `${folder}/`).join('');
  return { scheme: known, url: [`${known}:/`, bucket, ...folders].join('/'), bucket, prefix };
}

function parseFileUrl(text: string): StorePlace {
  try {
    const url = new URL(text);
    if (url.search !== '' || url.hash !== '') throw new Error('it has a ? or #, which must be written as %3F or %23');
    const folder = fileURLToPath(url);
    return { scheme: 'file', url: url.href.replace(/(?<!:\/\/)\/+$/, ''), folder };
  } catch (error) {
    throw badUrl(text, `${(error as Error).message}; it must name a whole path, as in file:///mnt/store`);
  }
}

function badUrl(url: string, problem: string): ShortlistError {
  const message = `'${url}' is not the URL of a store: ${problem}; give one such as s3://bucket/folder`;
  return new ShortlistError('usage', message, { url });
}
