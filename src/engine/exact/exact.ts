import type { ShardIndex, ShardVectors } from '../engine.js';
import { scan } from './scan.js';

/** Exact search behind the engines' interface: every answer is a scan. It holds no memory of its own. */
export function openExact(vectors: ShardVectors): ShardIndex {
  return {
    vectors,
    residentBytes: 0,
    search: (query, { k, allow }) => ({ ...scan(vectors, query, 1, { k, allow })[0]!, path: 'exact' }),
    close: () => undefined,
  };
}
