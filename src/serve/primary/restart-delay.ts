/**
 * The delay before a process is restarted: none at first. A process that had served is restarted soon each time, since
 * clients wait for it; one that dies during its start later each time, since it takes time from the others.
 */

const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 10_000;

/** A process that lived this long did not die during its start. */
const STABLE_MS = 30_000;

export class RestartDelay {
  private startedAt = 0;
  private delayMs = 0;

  constructor(private readonly now: () => number = () => performance.now()) {}

  noteStart(): void {
    this.startedAt = this.now();
  }

  /**
   * The delay after a death at this moment, in milliseconds: 0, 250, 500, 1,000, ... 10,000.
   * @param isWaitedFor it had served, or no other worker is left: at most 250
   */
  next(isWaitedFor = false): number {
    if (this.now() - this.startedAt >= STABLE_MS) this.delayMs = 0;
    const delayMs = this.delayMs;
    this.delayMs = delayMs === 0 ? FIRST_DELAY_MS : Math.min(MAX_DELAY_MS, 2 * delayMs);
    if (!isWaitedFor) return delayMs;
    this.delayMs = FIRST_DELAY_MS;
    return Math.min(FIRST_DELAY_MS, delayMs);
  }
}
