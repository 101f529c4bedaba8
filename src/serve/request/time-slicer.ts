/**
 * Shares a worker's one thread between requests whose bodies and answers are so large that reading or writing one
 * would hold up everybody. Such work asks whether its slice of time is over and then waits for its turn: the event
 * loop goes round between two slices, whoever they belong to, so that several large requests hold up others no longer
 * than one.
 */

/**
 * Long enough that a turn of the event loop (some 20 us) costs a hundredth, short enough that nobody waits
 * noticeably.
 */
const SLICE_MS = 2;

export class TimeSlicer {
  private readonly waiting: (() => void)[] = [];
  /** When the event loop last went round for work that waited. */
  private sliceStart = -Infinity;

  /** Whether work on the event loop has had its slice. */
  isSliceOver(): boolean {
    return performance.now() - this.sliceStart > SLICE_MS;
  }

  /** Resolves when the event loop has gone round, and everybody who waits longer has had a turn. */
  waitForTurn(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      if (this.waiting.length === 1) this.schedule();
    });
  }

  /** Runs steps that yield where they may pause, and pauses where a slice is over. @returns what they return */
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
