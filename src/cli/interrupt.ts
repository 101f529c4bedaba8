/**
 * Ctrl-C and SIGTERM while a command works: the first one asks it to stop, so that it can remove what it has begun; the
 * second one ends it at once. Either way the process then ends by that signal, as shells and schedulers expect.
 */
import { ShortlistError } from '../base/errors.js';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs work that heeds an abort signal. @throws interrupted once the work has ended, and the process ends by the signal then */
export async function interruptible<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) endBy(name);
    process.stderr.write(`\n${name}: stopping ${what}; once more ends it at once\n`);
    controller.abort(new ShortlistError('interrupted', `${what} was interrupted by ${name}; nothing of it is left`));
    process.once('exit', () => endBy(name));
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal);
  }
}

function endBy(name: NodeJS.Signals): void {
  process.removeAllListeners(name);
  process.kill(process.pid, name);
}
