/**
 * Limits the requests in flight of a worker, and the bytes of their bodies and answers. Beyond either limit a request
 * is refused at once with `overloaded`: no queue grows, and the client still has time to try another server.
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

  /** Checks before the body is read, without taking a slot. @throws overloaded */
  check(): void {
    if (this.slots >= this.maxInFlight) throw this.refuse(`the worker has ${this.slots} requests in flight`);
  }

  /** @returns a slot, to be released by the caller. @throws overloaded */
  acquireSlot(): RefCounted {
    this.check();
    this.slots++;
    return createRefCounted(() => this.slots--);
  }

  /** @returns an empty account for the bytes of one request, to be released by the caller */
  openAccount(): ByteAccount {
    return this.accounts.open();
  }

  private refuse(reason: string): ShortlistError {
    this.onRefused();
    return new ShortlistError('overloaded', `${reason}, which is its limit; try again`);
  }
}
