/** Yields to the event loop between steps of long work, so that signals, timers and heartbeats of locks are served. */
import { setImmediate } from 'node:timers/promises';

/** Short enough that nobody notices a delay after Ctrl-C; a yield costs some microseconds. */
const MAX_STEP_MS = 25;

export class EventLoopYielder {
  private readonly signal: AbortSignal | undefined;
  private yieldedAt = performance.now();

  constructor(signal?: AbortSignal) {
    this.signal = signal;
  }

  /** Call between steps: yields if the last yield is MAX_STEP_MS ago. @throws the signal's reason */
  async yieldIfDue(): Promise<void> {
    if (performance.now() - this.yieldedAt < MAX_STEP_MS) return;
    await setImmediate();
    this.signal?.throwIfAborted();
    this.yieldedAt = performance.now();
  }
}
