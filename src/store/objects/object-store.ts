/**
 * An object store as this folder uses it: keys and bytes. Three implementations: s3-store.ts, gs-store.ts and
 * file-store.ts. What is written above them knows none of their names.
 *
 * A tag stands for the contents of one object at one time. Another write of the object gives another tag. Reads by key
 * are expected to be consistent; listings are not, and nothing here relies on them for what is published.
 *
 * Every failure is coded: `store_unavailable` if the store does not answer, which passes; `store_refused` if it answers
 * no, which a person must settle.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ShortlistError, type ErrorCode } from '../../base/errors.js';

export interface ObjectInfo {
  readonly bytes: number;
  readonly tag: string;
  /** SHA-256 in hex, if who wrote the object said it; nobody has checked it since. */
  readonly sha256: string | null;
}

export interface GetOptions {
  /** The first byte; default 0. */
  readonly from?: number | undefined;
  /** The byte after the last one; default the end. The object may be shorter. */
  readonly to?: number | undefined;
  /** If the object still has this tag, its bytes are not sent. */
  readonly unlessTag?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The range that was asked for. `bytes` is the size of the whole object. A body may end early, without an error. It
 * holds a connection until its iteration ends, so who gets one must begin to iterate.
 */
export interface ObjectBody extends Pick<ObjectInfo, 'bytes' | 'tag'> {
  readonly body: AsyncIterable<Uint8Array>;
}

/** Bytes to write. They are read once, front to back. */
export interface Content {
  readonly bytes: number;
  /** SHA-256 in hex. */
  readonly sha256: string;
  /** Parts of this many bytes, the last one shorter. An error of the iteration leaves no object. */
  readonly parts: (partBytes: number) => AsyncIterable<Uint8Array>;
}

/** Names directly below a prefix. */
export interface Listing {
  readonly objects: readonly string[];
  readonly folders: readonly string[];
}

export interface ObjectStore {
  /** As the user gave it, without a slash at the end. */
  readonly url: string;
  /** Null if there is no such object. */
  get(key: string, options?: GetOptions): Promise<ObjectBody | 'unchanged' | null>;
  head(key: string, signal?: AbortSignal): Promise<ObjectInfo | null>;
  put(key: string, content: Content, signal?: AbortSignal): Promise<void>;
  /**
   * Writes a small object only if it has the expected tag, or does not exist for null. False: it was not so. If an
   * answer of the store is lost, the object may have been written although the result is false.
   */
  putIf(key: string, bytes: Uint8Array, expected: string | null, signal?: AbortSignal): Promise<boolean>;
  /**
   * Whether conditional writes can be relied on, tried out beside this key if that is not known.
   * @throws store_refused if the store ignores the conditions of a write
   */
  requireConditions(key: string, signal?: AbortSignal): Promise<void>;
  /** @param prefix empty, or a folder with a slash at its end */
  list(prefix: string, signal?: AbortSignal): Promise<Listing>;
  /** Removes an object, if it has this tag. It may be gone already. */
  remove(key: string, tag: string, signal?: AbortSignal): Promise<void>;
  close(): void;
}

/** The URL of an object, for messages. */
export function urlOf(store: ObjectStore, key: string): string {
  return key === '' ? store.url : `${store.url}/${key}`;
}

/** A small object with its tag. */
interface SmallObject {
  readonly bytes: Uint8Array;
  readonly tag: string;
}

/** Reads of a small object whose answer is cut, or that is replaced meanwhile. Clients repeat requests themselves. */
const READ_ATTEMPTS = 6;
/** Longest wait before the second attempt. */
const READ_WAIT_MS = 50;

/** As `readSmall`, but `unchanged` if the object still has the tag. */
export async function readIfChanged(
  store: ObjectStore,
  key: string,
  maxBytes: number,
  options: Pick<GetOptions, 'unlessTag' | 'signal'> = {},
): Promise<SmallObject | 'unchanged' | null> {
  for (let attempt = 1; ; attempt++) {
    try {
      const found = await store.get(key, { ...options, to: maxBytes });
      return found === null || found === 'unchanged' ? found : await readBody(urlOf(store, key), found, maxBytes);
    } catch (error) {
      const passes = error instanceof ShortlistError && error.code === 'store_unavailable';
      if (!passes || attempt === READ_ATTEMPTS) throw error;
      await sleep(Math.random() * READ_WAIT_MS * attempt);
      options.signal?.throwIfAborted();
    }
  }
}

async function readBody(url: string, { bytes, tag, body }: ObjectBody, maxBytes: number): Promise<SmallObject> {
  const parts: Uint8Array[] = [];
  let received = 0;
  for await (const part of body) {
    received += part.length;
    if (received > Math.min(bytes, maxBytes)) break;
    parts.push(part);
  }
  if (bytes > maxBytes) {
    const message = `${url} has ${bytes} bytes; it may have at most ${maxBytes}`;
    throw new ShortlistError('file_corrupt', message, { file: url, bytes, limit: maxBytes });
  }
  if (received === bytes) return { bytes: Buffer.concat(parts), tag };
  throw storeError('store_unavailable', `get ${url}`, `${received} of ${bytes} bytes arrived`);
}

/** All bytes of a small object; null if there is none. @throws file_corrupt if it is larger */
export async function readSmall(
  store: ObjectStore,
  key: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<SmallObject | null> {
  const found = await readIfChanged(store, key, maxBytes, { signal });
  return found === 'unchanged' ? null : found;
}

type StoreCode = Extract<ErrorCode, 'store_unavailable' | 'store_refused'>;

const ADVICE: Readonly<Record<StoreCode, string>> = {
  store_unavailable: 'nothing was lost; try again when the store answers',
  store_refused: 'check the URL, the credentials and their permissions',
};

/** @param action what was tried, with the URL of the object: `get s3://bucket/a` */
export function storeError(
  code: StoreCode,
  action: string,
  reason: string,
  { cause, advice = ADVICE[code] }: { readonly cause?: unknown; readonly advice?: string } = {},
): ShortlistError {
  return new ShortlistError(code, `cannot ${action}: ${reason}; ${advice}`, { action }, { cause });
}
