/** The log: JSON lines on stderr. It never contains vectors, bodies or other data of a request. */
import { pino, type DestinationStream, type LogFn, type Logger } from 'pino';
import { describeLevel } from '../../base/log-levels.js';
import type { ServeOptions } from './options.js';

export type { Logger } from 'pino';

/** If the reader of stderr stalls, lines beyond this size are dropped, so that searches are not delayed. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

/**
 * Workers write a line per request, and a write call for each would cost as much as everything but the search. So lines
 * are collected up to the size that a pipe accepts atomically (PIPE_BUF): lines of several processes never mix.
 */
const WRITE_BYTES = 4_096;

/** Maximum delay of a line. */
const FLUSH_MS = 100;

/** From this level on, lines are written at once: the process may be about to end. */
const URGENT_LEVEL = 40;

type Role = 'primary' | 'worker' | 'gateway';

/**
 * A log that is written asynchronously. Pending lines are written when the process exits.
 * @param target instead of stderr
 */
export function createLogger(
  { logLevel: level, logLevels: form }: Pick<ServeOptions, 'logLevel' | 'logLevels'>,
  role: Role,
  target?: DestinationStream,
): Logger {
  const destination = target === undefined ? openStderr(role) : null;
  const hooks = {
    logMethod(this: Logger, line: Parameters<LogFn>, write: LogFn, lineLevel: number) {
      write.apply(this, line);
      if (lineLevel >= URGENT_LEVEL) destination?.flush();
    },
  };
  const timestamp = pino.stdTimeFunctions.isoTime;
  const formatters = { level: (label: string, number: number) => describeLevel(form, label, number) };
  return pino(
    { level, base: { role, pid: process.pid }, timestamp, hooks, formatters },
    target ?? (destination as DestinationStream),
  );
}

function openStderr(role: Role) {
  const gather =
    role !== 'primary' ? { minLength: 0.75 * WRITE_BYTES, maxWrite: WRITE_BYTES, periodicFlush: FLUSH_MS } : {};
  const destination = pino.destination({ dest: 2, sync: false, maxLength: MAX_PENDING_BYTES, ...gather });
  // A closed stderr (EPIPE) must not end the server.
  destination.on('error', () => undefined);
  process.on('exit', () => flush(destination));
  return destination;
}

function flush(destination: { flushSync(): void }): void {
  try {
    destination.flushSync();
  } catch {
    // Not open yet, or stderr is closed.
  }
}
