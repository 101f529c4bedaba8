/**
 * What a worker takes on: so many requests, and so many bytes of bodies and answers, at once. Beyond either bound a request
 * is refused at once with `overloaded`, so that no queue grows and the client can turn to another server while its time lasts.
 */
import { ShortlistError } from '../base/errors.js';

/** Something of the worker's that a request has. It is free again when everybody who retained it has released it. */
export interface Held {
  retain(): void;
  release(): void;
}

/** Bytes that one request makes the worker hold: its body as it arrives, its answer as it is written. */
export interface HeldBytes extends Held {
  /** @throws overloaded, and counts nothing */
  grow(bytes: number): void;
  shrink(bytes: number): void;
}

export class Admission {
  private slots = 0;
  private bytes = 0;

  constructor(
    private readonly maxInFlight: number,
    private readonly maxBufferedBytes: number,
    private readonly onRefused: () => void,
  ) {}

  get inFlight(): number {
    return this.slots;
  }

  get bufferedBytes(): number {
    return this.bytes;
  }

  /** Refuses without taking a place: before the body of a request is read. @throws overloaded */
  check(): void {
    if (this.slots >= this.maxInFlight) throw this.refuse(`the worker has ${this.slots} requests in flight`);
  }

  /** @returns a place, retained once. @throws overloaded */
  enter(): Held {
    this.check();
    this.slots++;
    return hold(() => this.slots--);
  }

  /** @returns bytes of one request, none yet, retained once */
  buffer(): HeldBytes {
    let held = 0;
    const shrink = (bytes: number) => {
      held -= bytes;
      this.bytes -= bytes;
    };
    const grow = (bytes: number) => {
      if (this.bytes + bytes > this.maxBufferedBytes) {
        throw this.refuse(`the worker holds ${this.bytes} bytes of request bodies and answers`);
      }
      shrink(-bytes);
    };
    return { grow, shrink, ...hold(() => shrink(held)) };
  }

  private refuse(why: string): ShortlistError {
    this.onRefused();
    return new ShortlistError('overloaded', `${why}, as many as it takes; try again`);
  }
}

function hold(free: () => void): Held {
  let holders = 1;
  const retain = () => {
    holders++;
  };
  const release = () => {
    if (--holders === 0) free();
  };
  return { retain, release };
}
