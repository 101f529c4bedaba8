/**
 * Fetches files of a version from a store into a folder: all of them or some, such as those of a few shards. Ranges of
 * files arrive at the same time. A range that is cut continues at the byte where it was cut; a fetch that was killed
 * continues with the ranges that are not complete (part-file.ts). Every file is compared with its digest.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ShortlistError } from '../base/errors.js';
import type { FileSystem } from '../version/disk/files.js';
import type { FileEntry } from '../version/sealed/manifest.js';
import { storeError, urlOf, type ObjectStore } from './objects/object-store.js';
import { PartFile, type Part } from './part-file.js';

export interface FetchTuning {
  /** Size of a range. Large enough that requests cost little, small enough that a kill loses little. */
  readonly partBytes: number;
  /** Ranges at once: one connection rarely fills the network of a machine. */
  readonly parallel: number;
  /** A range that brings no byte for this long is asked for again. */
  readonly silenceMs: number;
  /** Attempts in a row that bring nothing, and the first wait between two, which doubles. */
  readonly attempts: number;
  readonly waitMs: number;
}

const TUNING: FetchTuning = { partBytes: 8 * 2 ** 20, parallel: 8, silenceMs: 20_000, attempts: 6, waitMs: 200 };

/** Longest wait between two attempts. */
const MAX_WAIT_MS = 10_000;

interface FetchOptions {
  readonly onBytes?: ((bytes: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly tuning?: Partial<FetchTuning> | undefined;
}

/**
 * Files that are in the folder already, complete, are left as they are.
 * @param folder key of the version's folder
 * @returns the bytes that were transferred
 * @throws file_missing, file_corrupt, store_unavailable, disk_full, ...
 */
export async function fetchFiles(
  store: ObjectStore,
  folder: string,
  directory: string,
  entries: readonly FileEntry[],
  files: FileSystem,
  options: FetchOptions = {},
): Promise<number> {
  const tuning = { ...TUNING, ...options.tuning };
  // The first failure stops the other ranges.
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const onBytes = options.onBytes ?? (() => undefined);
  const fetch: Fetch = { store, folder, directory, files, tuning, signal, onBytes, open: new Set(), received: 0 };
  const tasks = rangesOf(entries, fetch);
  const work = async (): Promise<void> => {
    for (;;) {
      const next = await tasks.next();
      if (next.done === true) return;
      await next.value();
    }
  };
  const workers = Array.from({ length: tuning.parallel }, () =>
    work().catch((error: unknown) => {
      stop.abort(error);
      throw error;
    }),
  );
  const results = await Promise.allSettled(workers);
  for (const file of fetch.open) await file.leave();
  options.signal?.throwIfAborted();
  if (stop.signal.aborted) throw stop.signal.reason;
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return fetch.received;
}

interface Fetch {
  readonly store: ObjectStore;
  readonly folder: string;
  readonly directory: string;
  readonly files: FileSystem;
  readonly tuning: FetchTuning;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
  /** Files with ranges that are under way or were not taken yet. */
  readonly open: Set<PartFile>;
  /** Bytes that came over the network. */
  received: number;
}

/** The ranges of all files as tasks. Files are opened one after the other, as their ranges are taken. */
async function* rangesOf(entries: readonly FileEntry[], fetch: Fetch): AsyncGenerator<() => Promise<void>> {
  for (const entry of entries) {
    const file = await PartFile.open(fetch.directory, entry, fetch.tuning.partBytes, fetch.files);
    const missing = file?.missing ?? [];
    fetch.onBytes(entry.bytes - missing.reduce((bytes, { from, to }) => bytes + to - from, 0));
    if (file === null) continue;
    fetch.open.add(file);
    let remaining = missing.length;
    const finish = async (): Promise<void> => {
      fetch.open.delete(file);
      await finishFile(file, entry, fetch);
    };
    if (remaining === 0) yield finish;
    for (const part of missing) {
      yield async () => {
        await fetchRange(file, part, fetch);
        if (--remaining === 0) await finish();
      };
    }
  }
}

/** Bytes that are wrong may have been so on the way or on this disk: the file is loaded once more. */
async function finishFile(file: PartFile, entry: FileEntry, fetch: Fetch): Promise<void> {
  if (await file.finish(fetch.signal)) return;
  const again = await PartFile.open(fetch.directory, entry, fetch.tuning.partBytes, fetch.files);
  if (again === null) return;
  try {
    for (const part of again.missing) await fetchRange(again, part, fetch, false);
  } catch (error) {
    await again.leave();
    throw error;
  }
  if (await again.finish(fetch.signal)) return;
  const url = urlOf(fetch.store, `${fetch.folder}/${entry.name}`);
  const message = `${url} differs from its checksum in the manifest; push the version again with --overwrite`;
  throw new ShortlistError('file_corrupt', message, { file: url });
}

/** @param counts whether the bytes are progress; false: they came before */
async function fetchRange(file: PartFile, part: Part, fetch: Fetch, counts = true): Promise<void> {
  const { tuning, signal } = fetch;
  let at = part.from;
  let fruitless = 0;
  while (at < part.to) {
    signal.throwIfAborted();
    const before = at;
    try {
      for await (const bytes of readRange(file.entry, at, part.to, fetch)) {
        await file.write(bytes, at);
        at += bytes.length;
        fetch.received += bytes.length;
        if (counts) fetch.onBytes(bytes.length);
      }
      if (at < part.to)
        throw storeError('store_unavailable', `get ${urlOfEntry(file.entry, fetch)}`, 'the answer was cut');
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof ShortlistError) || error.code !== 'store_unavailable') throw error;
      fruitless = at > before ? 0 : fruitless + 1;
      if (fruitless >= tuning.attempts) throw error;
      const waitMs = Math.min(MAX_WAIT_MS, tuning.waitMs * 2 ** fruitless);
      await sleep(waitMs * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    }
  }
  await file.complete(part);
}

function urlOfEntry({ name }: FileEntry, { store, folder }: Fetch): string {
  return urlOf(store, `${folder}/${name}`);
}

/** One request. What the store sends beyond the range is not used. */
async function* readRange(entry: FileEntry, from: number, to: number, fetch: Fetch): AsyncGenerator<Uint8Array> {
  const { store, folder, tuning } = fetch;
  const url = urlOfEntry(entry, fetch);
  const silence = new AbortController();
  const signal = AbortSignal.any([fetch.signal, silence.signal]);
  const reason = storeError('store_unavailable', `get ${url}`, `no byte came for ${tuning.silenceMs / 1000} s`);
  const timer = setTimeout(() => silence.abort(reason), tuning.silenceMs);
  try {
    const found = await store.get(`${folder}/${entry.name}`, { from, to, signal });
    if (found === null || found === 'unchanged') {
      throw new ShortlistError('file_missing', `${url} is missing; push the version again`, { file: url });
    }
    let left = to - from;
    for await (const bytes of found.body) {
      if (found.bytes !== entry.bytes) break;
      timer.refresh();
      yield bytes.subarray(0, left);
      left -= bytes.length;
      if (left <= 0) break;
    }
    if (found.bytes !== entry.bytes) {
      const message = `${url} has ${found.bytes} bytes, not ${entry.bytes}; push the version again with --overwrite`;
      throw new ShortlistError('file_corrupt', message, { file: url });
    }
  } finally {
    clearTimeout(timer);
  }
}
