/**
 * What a worker takes on: so many requests, and so many bytes of bodies and answers, at once. Beyond either bound a
 * request is refused at once with `overloaded`, so that no queue grows and the client can turn to another server
 * while its time lasts.
 */
import { ShortlistError } from '../../base/errors.js';
import { ByteAccounts, createRefCounted, type ByteAccount, type RefCounted } from '../request/byte-account.js';

export class Admission {
  private slots = 0;
  private readonly accounts: ByteAccounts;

  constructor(
    private readonly maxInFlight: number,
    maxBufferedBytes: number,
    private readonly onRefused: () => void,
  ) {
    this.accounts = new ByteAccounts(maxBufferedBytes, (why) => this.refuse(why));
  }

  get inFlight(): number {
    return this.slots;
  }

  get bufferedBytes(): number {
    return this.accounts.total;
  }

  /** Refuses without taking a place: before the body of a request is read. @throws overloaded */
  check(): void {
    if (this.slots >= this.maxInFlight) throw this.refuse(`the worker has ${this.slots} requests in flight`);
  }

  /** @returns a place, held once. @throws overloaded */
  acquireSlot(): RefCounted {
    this.check();
    this.slots++;
    return createRefCounted(() => this.slots--);
  }

  /** @returns the account of one request's bytes, none yet, held once */
  openAccount(): ByteAccount {
    return this.accounts.open();
  }

  private refuse(reason: string): ShortlistError {
    this.onRefused();
    return new ShortlistError('overloaded', `${reason}, as many as it takes; try again`);
  }
}
