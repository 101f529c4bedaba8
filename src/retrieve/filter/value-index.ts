/** The index of one attribute's values. Each column type has its own implementation. */
import type { Rows } from './rows.js';
import type { Test } from './filter-plan.js';
import type { Meter, Work } from '../../base/work.js';

/** The rows that pass a test, found without a scan. `select` returns them as a new set. */
export interface LookupResult {
  /** Upper bound of their number. */
  readonly atMost: number;
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
const SCANS_BEFORE_SORTING = 8;

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

/** An index that is built after some scans, when it pays off. `Index` is what it builds. */
export abstract class LazyIndex<Index> implements ValueIndex {
  private index: Index | null = null;
  private scans = 0;
  private building: Work<Index | null> | null = null;
  private isBuilt = false;

  abstract scan(tests: readonly Test[], rows: Rows, meter: Meter): Work<Uint32Array[]>;

  /** Returns null if the index does not fit the budget. */
  protected abstract build(): Work<Index | null>;

  protected abstract find(index: Index, tests: readonly Test[], meter: Meter): Work<(LookupResult | null)[]>;

  *lookUp(tests: readonly Test[], meter: Meter): Work<(LookupResult | null)[]> {
    for (const test of tests) this.scans += scansFor(test);
    if (this.scans > SCANS_BEFORE_SORTING) yield* this.prepare();
    return this.index === null ? tests.map(() => null) : yield* this.find(this.index, tests, meter);
  }

  /** Any caller continues the build: one that runs out of time leaves it half done, and the next one finishes it. */
  *prepare(): Work<void> {
    while (!this.isBuilt) {
      this.building ??= this.build();
      const step = this.building.next();
      this.isBuilt = step.done === true;
      if (step.done === true)
        this.index = step.value ?? null; // a generator that has thrown returns undefined
      else yield;
    }
    this.building = null;
  }
}

/**
 * Cost of one scan in scans of numbers. One text is compared by its length first; several texts, and ranges of texts,
 * justify an index at once.
 */
function scansFor(test: Test): number {
  const isSlow = test.kind === 'text_range' || (test.kind === 'texts' && test.values.length !== 1);
  return isSlow ? SCANS_BEFORE_SORTING + 1 : 1;
}

export function throwUnsupported(test: Test): never {
  throw new TypeError(`a test of ${test.kind} does not fit the column`);
}
