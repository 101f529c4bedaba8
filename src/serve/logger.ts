/** The log: JSON lines on stderr. It never holds vectors, bodies or what else a request carried. */
import { pino, type DestinationStream, type Logger } from 'pino';
import type { ServeLogLevel } from './options.js';

export type { Logger } from 'pino';

/** A reader of stderr that has stalled costs lines, never searches: beyond this much they are dropped. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

/** A log that writes while the event loop goes on; what is pending is written when the process exits. */
export function createLogger(level: ServeLogLevel, role: 'primary' | 'worker'): Logger {
  const destination = pino.destination({ dest: 2, sync: false, minLength: 0, maxLength: MAX_PENDING_BYTES });
  // A stderr that is gone (EPIPE) must not end the server.
  destination.on('error', () => undefined);
  process.on('exit', () => flush(destination));
  return pino(
    { level, base: { role, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    destination as DestinationStream,
  );
}

function flush(destination: { flushSync(): void }): void {
  try {
    destination.flushSync();
  } catch {
    // Not open yet, or stderr is gone: nothing to write to.
  }
}
