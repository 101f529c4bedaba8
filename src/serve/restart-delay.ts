/** How long to wait before a process is started again: not at all at first, ever longer while it keeps dying soon after. */

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 10_000;

/** A process that lived this long did not die of its start. */
const STABLE_MS = 30_000;

export class RestartDelay {
  private startedAt = 0;
  private delayMs = 0;

  constructor(private readonly now: () => number = () => performance.now()) {}

  started(): void {
    this.startedAt = this.now();
  }

  /**
   * The delay after a death now, in milliseconds: 0, 250, 500, 1,000, ... 10,000.
   * @param isLast nobody else is there: clients wait, so it is at most the first one
   */
  next(isLast = false): number {
    if (this.now() - this.startedAt >= STABLE_MS) this.delayMs = 0;
    const delayMs = this.delayMs;
    this.delayMs = delayMs === 0 ? FIRST_DELAY_MS : Math.min(MAX_DELAY_MS, 2 * delayMs);
    return isLast ? Math.min(FIRST_DELAY_MS, delayMs) : delayMs;
  }
}
