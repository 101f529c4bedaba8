/** What a request holds until all work on it has ended, even after its time is over. */
import type { ExactSearch } from '../../engine/exact-search.js';
import { createRefCounted, type RefCounted } from '../request/byte-account.js';
import type { TimeLimit } from '../request/time-limit.js';

/** Retains all of these. When every holder has released the result, they are released and `free` is called. */
export function retainAll(held: readonly (RefCounted | null)[], free: () => void): RefCounted {
  const releases = held.map((resource) => resource?.retain());
  return createRefCounted(() => {
    free();
    for (const release of releases) release?.();
  });
}

/**
 * The scan pool, limited to the time of the request. An abandoned scan still reads the version until it ends, so the
 * request's resources are retained until then.
 */
export function limitPool(pool: ExactSearch, limit: TimeLimit, held: RefCounted): Pick<ExactSearch, 'search'> {
  return {
    search: (...call) => {
      const end = held.retain();
      const scan = pool.search(...call);
      scan.then(end, end);
      return limit.within(scan);
    },
  };
}
