/**
 * SIGINT (Ctrl-C), SIGTERM and SIGHUP while a command works.
 *
 * The first one aborts the command's signal: the command removes what it has begun and fails, whatever with; that
 * failure is told as `interrupted`, with its exit code. A second one ends the process at once, by that signal.
 * Signals that come within REPEAT_MS of the first one are the same wish: npm and systemd send two.
 *
 * Node sets every signal to its default when it starts, so a SIGHUP that nohup has turned off is heard too.
 */
import { ShortlistError } from '../base/errors.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Nobody presses Ctrl-C twice in this time, and whoever forwards a signal is quicker. */
const REPEAT_MS = 500;

class Interruption {
  private readonly controller = new AbortController();
  private readonly handler = (name: NodeJS.Signals): void => this.handle(name);
  /** The command that runs, as in messages. */
  command = 'shortlist';
  private note: (text: string) => void = () => undefined;
  private endNow: (error: ShortlistError) => void = () => undefined;
  private firstAt = 0;

  /** Aborted by the first signal, with an error `interrupted`. */
  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** What the command failed with if a signal came; null where none did. */
  get error(): ShortlistError | null {
    return this.signal.aborted ? (this.signal.reason as ShortlistError) : null;
  }

  listen(): void {
    for (const name of SIGNALS) process.on(name, this.handler);
  }

  /** For a command that has added handlers of its own. @throws interrupted where a signal has come before */
  release(): void {
    this.signal.throwIfAborted();
    for (const name of SIGNALS) process.off(name, this.handler);
  }

  /** @param command as in messages: `shortlist build` @param note takes a line for the person who waits */
  setCommand(command: string, note: (text: string) => void): void {
    this.command = command;
    this.note = note;
  }

  /** @param endNow writes the error at once: the process ends right after */
  onSecondSignal(endNow: (error: ShortlistError) => void): void {
    this.endNow = endNow;
  }

  private handle(name: NodeJS.Signals): void {
    if (this.signal.aborted) {
      if (performance.now() - this.firstAt >= REPEAT_MS) this.endProcess(name);
      return;
    }
    this.firstAt = performance.now();
    const message = `${this.command} was interrupted by ${name}; what it had begun is removed`;
    this.note(`${name}: stopping ${this.command}; once more ends it at once`);
    this.controller.abort(new ShortlistError('interrupted', message, { signal: name }));
  }

  private endProcess(name: NodeJS.Signals): void {
    const message = `${this.command} was ended at once by ${name}; the next run removes what it had begun`;
    this.endNow(new ShortlistError('interrupted', message, { signal: name }));
    process.removeAllListeners(name);
    process.kill(process.pid, name);
  }
}

/** There is one process, and signals are sent to it. */
export const interruption = new Interruption();

/** For work that only reads and cannot be stopped: it is no longer waited for. @throws the signal's reason */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let rejectAborted = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    rejectAborted = () => reject(signal.reason as Error);
    signal.addEventListener('abort', rejectAborted, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', rejectAborted);
  }
}
