/** What a clause is answered from: one for each filtered attribute and shape of column. */
import type { Test } from './filter-plan.js';
import type { Work } from './work.js';

/** Rows without a value are not its business: it may pass them or not, callers mask. */
export interface ValueIndex {
  /** Rows that pass at most, where that is known without a pass over the column. */
  estimate(test: Test): number | null;
  /** The rows that pass, as a new set. */
  select(test: Test): Uint32Array;
  /** Whether one row passes. */
  matcher(test: Test): (ordinal: number) => boolean;
  /** Builds what makes selective clauses quick, within the budget; nothing where it is there. */
  prepare(): Work<void>;
}

/**
 * Passes over a column before it is sorted: sorting a million rows takes as long as some 20 passes, so a filter that is
 * asked a few times is not made to wait for it.
 */
export const SCANS_BEFORE_SORTING = 8;

/** Memory for what the indexes of a version build, in bytes. Taken once, never given back before the version is. */
export class IndexBudget {
  used = 0;

  constructor(readonly limit: number) {}

  /** @returns whether there was room */
  take(bytes: number): boolean {
    if (this.used + bytes > this.limit) return false;
    this.used += bytes;
    return true;
  }
}

export function unfit(test: Test): never {
  throw new TypeError(`a test of ${test.kind} does not fit the column`);
}
