/**
 * What a worker takes on: so many requests, and so many bytes of bodies, at once. Beyond either bound a request is refused
 * at once with `overloaded`, so that no queue grows and the client can turn to another server while its time lasts.
 */
import { ShortlistError } from '../base/errors.js';

/** A request's place. It is free again when everybody who retained it has released it. */
export interface Slot {
  retain(): void;
  release(): void;
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
  enter(): Slot {
    this.check();
    this.slots++;
    let holders = 1;
    const release = () => {
      if (--holders === 0) this.slots--;
    };
    const retain = () => {
      holders++;
    };
    return { retain, release };
  }

  /** Counts bytes of a body as they arrive; whoever counted them gives them back. @throws overloaded */
  buffer(bytes: number): void {
    if (this.bytes + bytes > this.maxBufferedBytes) {
      throw this.refuse(`the worker holds ${this.bytes} bytes of request bodies`);
    }
    this.bytes += bytes;
  }

  unbuffer(bytes: number): void {
    this.bytes -= bytes;
  }

  private refuse(why: string): ShortlistError {
    this.onRefused();
    return new ShortlistError('overloaded', `${why}, as many as it takes; try again`);
  }
}
