/**
 * Long work on one thread, in turns with the event loop: signals, timers and heartbeats of locks are heard between
 * its steps.
 */
import { setImmediate } from 'node:timers/promises';

/** A person who presses Ctrl-C notices nothing of it, and a turn costs some microseconds. */
const TURN_MS = 25;

export class Turns {
  private readonly signal: AbortSignal | undefined;
  private since = performance.now();

  constructor(signal?: AbortSignal) {
    this.signal = signal;
  }

  /** Call between steps. @throws the signal's reason */
  async rest(): Promise<void> {
    if (performance.now() - this.since < TURN_MS) return;
    await setImmediate();
    this.signal?.throwIfAborted();
    this.since = performance.now();
  }
}
