/** The log: JSON lines on stderr. It never holds vectors, bodies or what else a request carried. */
import { pino, type DestinationStream, type LogFn, type Logger } from 'pino';
import type { LogLevelForm, ServeOptions } from './options.js';

export type { Logger } from 'pino';

/** A reader of stderr that has stalled costs lines, never searches: beyond this much they are dropped. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

/**
 * Workers write a line a request, and a write for each would cost as much as all else but the search. So lines are
 * gathered until they fill what a pipe takes in one piece (PIPE_BUF): lines of several processes never mix.
 */
const WRITE_BYTES = 4_096;

/** No line waits longer than this. */
const FLUSH_MS = 100;

/** From here on lines are written at once: what follows may be the end. */
const URGENT_LEVEL = 40;

/**
 * A log that writes while the event loop goes on; what is pending is written when the process exits.
 * @param target instead of stderr
 */
export function createLogger(
  { logLevel: level, logLevels: form }: Pick<ServeOptions, 'logLevel' | 'logLevels'>,
  role: 'primary' | 'worker',
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

function openStderr(role: 'primary' | 'worker') {
  const gather =
    role === 'worker' ? { minLength: 0.75 * WRITE_BYTES, maxWrite: WRITE_BYTES, periodicFlush: FLUSH_MS } : {};
  const destination = pino.destination({ dest: 2, sync: false, maxLength: MAX_PENDING_BYTES, ...gather });
  // A stderr that is gone (EPIPE) must not end the server.
  destination.on('error', () => undefined);
  process.on('exit', () => flush(destination));
  return destination;
}

/** Google Cloud's words where they differ from pino's in capitals. */
const SEVERITIES: Readonly<Record<string, string>> = { trace: 'DEBUG', warn: 'WARNING', fatal: 'CRITICAL' };

function describeLevel(form: LogLevelForm, label: string, number: number): object {
  switch (form) {
    case 'numbers':
      return { level: number };
    case 'words':
      return { level: label };
    case 'severity':
      return { severity: SEVERITIES[label] ?? label.toUpperCase() };
  }
}

function flush(destination: { flushSync(): void }): void {
  try {
    destination.flushSync();
  } catch {
    // Not open yet, or stderr is gone: nothing to write to.
  }
}
