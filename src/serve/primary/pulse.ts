/**
 * Whether a process still turns its event loop: it is asked twice a second, and answers between two turns.
 *
 * A process that is stopped (SIGSTOP), spins, or is stuck in one long step does not answer. Silence is counted from
 * the last answer, less the time in which the asking process itself stood still: a machine that slept has no dead
 * workers.
 */

/** Between two questions, milliseconds. */
export const PULSE_MS = 500;

/** Beyond this a worker gets no new connections, until it answers. */
const QUIET_MS = 2_000;

export class Pulse {
  private heardAt: number;
  private askedAt: number;

  constructor(private readonly now: () => number = () => performance.now()) {
    this.heardAt = this.askedAt = this.now();
  }

  /** To be called every PULSE_MS. */
  asked(): void {
    const now = this.now();
    const stoodStillMs = Math.max(0, now - this.askedAt - 2 * PULSE_MS);
    this.heardAt = Math.min(now, this.heardAt + stoodStillMs);
    this.askedAt = now;
  }

  heard(): void {
    this.heardAt = this.now();
  }

  wasHeardSince(time: number): boolean {
    return this.heardAt > time;
  }

  get silentMs(): number {
    return this.now() - this.heardAt;
  }

  get isQuiet(): boolean {
    return this.silentMs > QUIET_MS;
  }
}
