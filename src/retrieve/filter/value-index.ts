/** What tests on one attribute are answered from: one for each filtered attribute, by the shape of its column. */
import type { Rows } from './rows.js';
import type { Test } from './filter-plan.js';
import type { Meter, Work } from '../../base/work.js';

/** Rows that are known to pass a test without a look at every row. */
export interface LookupResult {
  /** As many at most. */
  readonly atMost: number;
  /** Exactly those, as a new set. */
  select(meter: Meter): Work<Uint32Array>;
}

/** Rows without a value are not its business: it may pass them or not, callers mask. */
export interface ValueIndex {
  /** For each test what an index knows; null where only a pass over rows can tell. */
  lookUp(tests: readonly Test[], meter: Meter): Work<(LookupResult | null)[]>;
  /** One pass over the rows for all of the tests: a new set for each. */
  scan(tests: readonly Test[], rows: Rows, meter: Meter): Work<Uint32Array[]>;
  /** Builds what makes selective tests quick, within the budget; nothing where it is there. */
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
  reserve(bytes: number): boolean {
    if (this.used + bytes > this.limit) return false;
    this.used += bytes;
    return true;
  }
}

/**
 * Work that is done once, by whoever comes first, and that others go on with where it was left: a request that runs
 * out of time leaves an index half built, and the next one finishes it.
 */
export class ResumableWork {
  private work: Work<void> | null = null;
  private isDone = false;

  constructor(private readonly begin: () => Work<void>) {}

  *finish(): Work<void> {
    while (!this.isDone) {
      this.work ??= this.begin();
      this.isDone = this.work.next().done === true;
      if (!this.isDone) yield;
    }
    this.work = null;
  }
}

export function throwUnsupported(test: Test): never {
  throw new TypeError(`a test of ${test.kind} does not fit the column`);
}
