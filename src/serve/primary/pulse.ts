/**
 * Tracks whether a process responds. It is pinged twice a second and answers between two turns of its event loop. A
 * process that is stopped (SIGSTOP), spins, or is stuck in one long step does not answer.
 *
 * Silence is counted from the last answer, minus the time in which the pinging process itself was paused: after a
 * machine slept, its workers are not dead.
 */

/** Interval between two pings. */
export const PULSE_MS = 500;

/** A worker silent for longer gets no new connections until it answers. */
const QUIET_MS = 2_000;

export class Pulse {
  private answeredAt: number;
  private pingedAt: number;

  constructor(private readonly now: () => number = () => performance.now()) {
    this.answeredAt = this.pingedAt = this.now();
  }

  /** To be called every PULSE_MS. */
  notePing(): void {
    const now = this.now();
    const pausedMs = Math.max(0, now - this.pingedAt - 2 * PULSE_MS);
    this.answeredAt = Math.min(now, this.answeredAt + pausedMs);
    this.pingedAt = now;
  }

  noteAnswer(): void {
    this.answeredAt = this.now();
  }

  hasAnsweredSince(time: number): boolean {
    return this.answeredAt > time;
  }

  get silentMs(): number {
    return this.now() - this.answeredAt;
  }

  get isQuiet(): boolean {
    return this.silentMs > QUIET_MS;
  }
}
