/**
 * Runs a limited number of tasks at once; the others wait in order of arrival. Each task must end by itself. Aborting
 * its signal removes a waiting task from the queue; the caller of a running one stops waiting, and the task runs to its
 * end.
 */
export class TaskQueue {
  private readonly waiting: (() => void)[] = [];

  /** @param free tasks that may run at once, from 1 */
  constructor(private free: number) {}

  /** @throws what the task throws, or the reason of the signal */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.free > 0) this.free--;
    else await this.waitForPlace(signal);
    const running = (async () => task())(); // a task that throws synchronously must also give its place back
    const release = () => this.release();
    running.then(release, release);
    return signal === undefined ? running : untilAborted(running, signal);
  }

  private waitForPlace(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = () => {
        signal?.removeEventListener('abort', cancel);
        resolve();
      };
      const cancel = () => {
        this.waiting.splice(this.waiting.indexOf(start), 1);
        reject(signal!.reason as Error);
      };
      this.waiting.push(start);
      signal?.addEventListener('abort', cancel, { once: true });
    });
  }

  private release(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free++;
    else next();
  }
}

/** Settles as the work does, or rejects with the signal's reason as soon as it is aborted. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = () => reject(signal.reason as Error);
    signal.addEventListener('abort', cancel, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', cancel));
  });
}
