/** What the operations of a leaf work with: one request's version, time and memory, and the process's threads. */
import type { Work } from '../../base/work.js';
import type { ScanPool } from '../../retrieve/search/local-shards.js';
import type { ByteCounter } from '../request/byte-account.js';
import type { TimeLimit } from '../request/time-limit.js';
import type { LeafVersion } from './leaf-version.js';

/** The scheduler of the worker. */
interface Turns {
  /** Calls `step(0)` to `step(steps - 1)` between the steps of other requests. */
  run(steps: number, limit: TimeLimit, step: (position: number) => void, candidates?: number): Promise<void>;
  runWork<T>(limit: TimeLimit, work: Work<T>): Promise<T>;
}

export interface LeafTools {
  readonly leaf: LeafVersion;
  readonly limit: TimeLimit;
  readonly turns: Turns;
  /** Limited to the time of the request. */
  readonly pool: ScanPool;
  readonly memory: ByteCounter;
}
