/** Requests to another process that wait for their answers, by number, each with a time limit. */
import { ShortlistError } from '../../base/errors.js';

interface Pending<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class PendingRequests<Answer> {
  private readonly pending = new Map<number, Pending<Answer>>();
  private nextId = 0;

  /** @param send sends the request with its number. @throws deadline_exceeded, or the error of `rejectAll` */
  request(what: string, timeoutMs: number, send: (id: number) => void): Promise<Answer> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      const expire = () => {
        this.pending.delete(id);
        reject(new ShortlistError('deadline_exceeded', `${what} took longer than ${timeoutMs} ms`));
      };
      this.pending.set(id, { resolve, reject, timer: setTimeout(expire, timeoutMs) });
      send(id);
    });
  }

  /** Late answers are dropped. */
  resolve(id: number, answer: Answer): void {
    this.remove(id)?.resolve(answer);
  }

  reject(id: number, error: Error): void {
    this.remove(id)?.reject(error);
  }

  /** The other process has ended. */
  rejectAll(error: Error): void {
    for (const id of [...this.pending.keys()]) this.reject(id, error);
  }

  private remove(id: number): Pending<Answer> | undefined {
    const found = this.pending.get(id);
    this.pending.delete(id);
    clearTimeout(found?.timer);
    return found;
  }
}
