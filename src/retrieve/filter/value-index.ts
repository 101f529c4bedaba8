/** The index of one attribute's values. Each column type has its own implementation. */
import type { Rows } from './rows.js';
import type { Test } from './filter-plan.js';
import type { Meter, Work } from '../../base/work.js';

/** The rows that pass a test, known without a scan. */
export interface LookupResult {
  /** Upper bound of their number. */
  readonly atMost: number;
  /** The exact rows, as a new set. */
  select(meter: Meter): Work<Uint32Array>;
}

/** Rows without a value may pass or not; callers mask them. */
export interface ValueIndex {
  /** For each test, what the index knows; null if only a scan can tell. */
  lookUp(tests: readonly Test[], meter: Meter): Work<(LookupResult | null)[]>;
  /** Scans the rows once for all tests. @returns a new set for each */
  scan(tests: readonly Test[], rows: Rows, meter: Meter): Work<Uint32Array[]>;
  /** Builds the index, within the budget. Does nothing if it exists. */
  prepare(): Work<void>;
}

/**
 * Scans of a column before it is sorted: sorting a million rows takes as long as some 20 scans, so a filter that is
 * used a few times does not wait for it.
 */
export const SCANS_BEFORE_SORTING = 8;

/** Memory budget for the indexes of a version, in bytes. What is reserved stays reserved. */
export class IndexBudget {
  used = 0;

  constructor(readonly limit: number) {}

  /** @returns true if there was room */
  reserve(bytes: number): boolean {
    if (this.used + bytes > this.limit) return false;
    this.used += bytes;
    return true;
  }
}

/**
 * Work that is done once and that any caller can continue: a request that runs out of time leaves an index half built,
 * and the next request finishes it.
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
