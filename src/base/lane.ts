/**
 * So many at once, the others wait in the order in which they came. Takes tasks that end by themselves and signals
 * that say when nobody waits for them; a task whose signal is aborted while it waits does not begin, and one that
 * runs is not waited for.
 */
export class Lane {
  private readonly waiting: (() => void)[] = [];

  /** @param free places, from 1 */
  constructor(private free: number) {}

  /** @throws what the task throws, and the reason of the signal */
  async run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.free > 0) this.free--;
    else await this.wait(signal);
    const running = (async () => task())(); // one that throws at once has a place too
    const leave = () => this.leave();
    running.then(leave, leave);
    return signal === undefined ? running : until(running, signal);
  }

  /** Resolves with a place. */
  private wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      const stop = () => {
        this.waiting.splice(this.waiting.indexOf(enter), 1);
        reject(signal!.reason as Error);
      };
      this.waiting.push(enter);
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  private leave(): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free++;
    else next();
  }
}

/** As the work ends, or with the reason of the signal as soon as that is aborted. */
function until<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
