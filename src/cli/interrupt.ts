/**
 * SIGINT (Ctrl-C), SIGTERM and SIGHUP while a command runs.
 *
 * The first signal aborts the command's signal. The command removes its partial output, or keeps what it can go on
 * from, and fails; whatever its error,
 * it is reported as `interrupted` with that exit code. A second signal ends the process at once. Signals within
 * REPEAT_MS of the first count as the same one: npm and systemd send two.
 *
 * Node resets all signal handlers when it starts, so SIGHUP also arrives under nohup.
 */
import { ShortlistError } from '../base/errors.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** No person presses Ctrl-C twice within this time, and programs that forward a signal are faster. */
const REPEAT_MS = 500;

class Interruption {
  private readonly controller = new AbortController();
  private readonly handler = (name: NodeJS.Signals): void => this.handle(name);
  /** The running command as messages name it. */
  command = 'shortlist';
  private note: (text: string) => void = () => undefined;
  private endNow: (error: ShortlistError) => void = () => undefined;
  private firstAt = 0;

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** The error to report if a signal has arrived, else null. */
  get error(): ShortlistError | null {
    return this.signal.aborted ? (this.signal.reason as ShortlistError) : null;
  }

  listen(): void {
    for (const name of SIGNALS) process.on(name, this.handler);
  }

  /** For a command that has its own signal handlers. @throws interrupted if a signal arrived before */
  release(): void {
    this.signal.throwIfAborted();
    for (const name of SIGNALS) process.off(name, this.handler);
  }

  /** @param command as messages name it: `shortlist build` @param note prints a line for the user */
  setCommand(command: string, note: (text: string) => void): void {
    this.command = command;
    this.note = note;
  }

  /** @param endNow writes the error synchronously: the process ends right afterwards */
  onSecondSignal(endNow: (error: ShortlistError) => void): void {
    this.endNow = endNow;
  }

  private handle(name: NodeJS.Signals): void {
    if (this.signal.aborted) {
      if (performance.now() - this.firstAt >= REPEAT_MS) this.endProcess(name);
      return;
    }
    this.firstAt = performance.now();
    const message = `${this.command} was interrupted by ${name}`;
    this.note(`${name}: stopping ${this.command}; send it again to end at once`);
    this.controller.abort(new ShortlistError('interrupted', message, { signal: name }));
  }

  private endProcess(name: NodeJS.Signals): void {
    const message = `${this.command} was ended at once by ${name}; the next run removes or continues its partial output`;
    this.endNow(new ShortlistError('interrupted', message, { signal: name }));
    process.removeAllListeners(name);
    process.kill(process.pid, name);
  }
}

export const interruption = new Interruption();

/** For work that only reads and cannot be stopped: rejects without waiting for it. @throws the signal's reason */
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
