/**
 * Shares the thread of a worker between requests with large bodies and answers. Such work checks whether its time slice
 * is over and then waits for its turn. The event loop runs between any two slices, so several large requests delay
 * others no longer than one.
 */

/** Long enough that a turn of the event loop (about 20 us) costs 1 %, short enough that waiting is not noticeable. */
const SLICE_MS = 2;

export class TimeSlicer {
  private readonly waiting: (() => void)[] = [];
  /** When the event loop last resumed waiting work. */
  private sliceStart = -Infinity;

  isSliceOver(): boolean {
    return performance.now() - this.sliceStart > SLICE_MS;
  }

  /** Resolves after the event loop has run, in order of arrival. */
  waitForTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      if (this.waiting.length === 1) this.schedule();
    });
  }

  /** Runs a generator that yields where it may pause, and pauses when its slice is over. @returns its result */
  async run<T>(steps: Generator<void, T, void>): Promise<T> {
    for (;;) {
      const { done, value } = steps.next();
      if (done === true) return value;
      if (this.isSliceOver()) await this.waitForTurn();
    }
  }

  private schedule(): void {
    setImmediate(() => {
      this.sliceStart = performance.now();
      this.waiting.shift()!();
      if (this.waiting.length > 0) this.schedule();
    });
  }
}
