import assert from 'node:assert/strict';
import type { ShardAnswer, ShardIndex, ShardQuery, ShardVectors } from '../engine.js';
import { allowedRows } from './allowed-rows.js';
import { scan } from './scan.js';

/** Exact search behind the engines' interface: every answer is a scan. It holds no memory of its own. */
export function openExact(vectors: ShardVectors): ShardIndex {
  let closed = false;
  const search = (query: Float32Array, options: ShardQuery): ShardAnswer => {
    assert(!closed, 'search of a closed index');
    return scanAllowed(vectors, query, options);
  };
  return {
    vectors,
    residentBytes: 0,
    search,
    searchGraph: search,
    searchLater: (query, options, signal) => searchSoon(() => search(query, options), signal),
    scanRows: search,
    verify: () => undefined,
    close: () => {
      closed = true;
    },
  };
}

/** One scan in JavaScript, on the calling thread. */
export function scanAllowed(vectors: ShardVectors, query: Float32Array, options: ShardQuery): ShardAnswer {
  const allow = allowedRows(options, vectors.count);
  return { ...scan(vectors, query, 1, { k: options.k, allow })[0]!, path: 'exact' };
}

/** `searchLater` of an engine without its own thread: the same search in a promise. */
export function searchSoon<T>(search: () => T, signal?: AbortSignal): Promise<T> {
  return new Promise((resolve) => {
    signal?.throwIfAborted();
    resolve(search());
  });
}
