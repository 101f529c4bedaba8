/** Questions to another process that are waiting for their answers: by number, each with a time limit. */
import { ShortlistError } from '../../base/errors.js';

interface Pending<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class PendingRequests<Answer> {
  private readonly pending = new Map<number, Pending<Answer>>();
  private nextId = 0;

  /** @param send sends the question with its number. @throws deadline_exceeded, or what `failAll` was given */
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

  /** An answer that nobody waits for any more is dropped. */
  resolve(id: number, answer: Answer): void {
    this.remove(id)?.resolve(answer);
  }

  reject(id: number, error: Error): void {
    this.remove(id)?.reject(error);
  }

  /** The other process is gone. */
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
