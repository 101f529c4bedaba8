/**
 * Bytes that requests make a worker hold: bodies as they arrive, what they are parsed to, answers until they are sent.
 *
 * Takes a bound; gives an account for each request, and in it a claim for each purpose. Hides the sum. Only claims
 * take and give bytes, and a claim gives exactly what it has taken, once, whoever frees it first: the code that made
 * it, or the end of its request, which frees what is left. So nothing can be subtracted twice, in whatever order a
 * connection falls apart.
 *
 * Fails with `overloaded` beyond the bound, and counts nothing then; with `deadline_exceeded` where an account is
 * closed, for its request is over and what still works for it should stop.
 */
import { ShortlistError } from '../../base/errors.js';

/** Ends a hold. What comes after the first call has no effect. */
type Release = () => void;

/** Something of the worker's that a request has. It is free again when everybody who retained it has released it. */
export interface RefCounted {
  /** @returns what ends this hold */
  readonly retain: () => Release;
  /** Ends the hold of whoever opened it. */
  readonly release: Release;
}

/** Something that is held once; `free` runs once, when the last hold ends. What is free already is not held again. */
export function createRefCounted(free: () => void): RefCounted {
  let holders = 0;
  let isFree = false;
  const retain = (): Release => {
    if (!isFree) holders++;
    let isReleased = isFree;
    return () => {
      if (isReleased) return;
      isReleased = true;
      if (--holders > 0) return;
      isFree = true;
      free();
    };
  };
  return { retain, release: retain() };
}

/** What whoever fills memory step by step has to know. */
export interface ByteCounter {
  /** @throws overloaded, deadline_exceeded; counts nothing then */
  grow(bytes: number): void;
}

/** All accounts of a worker. */
export class ByteAccounts {
  private heldBytes = 0;

  /** @param refuse makes the error for a request that would go beyond */
  constructor(
    private readonly maxBytes: number,
    private readonly refuse: (why: string) => ShortlistError,
  ) {}

  /** Bytes of all claims of all open accounts. */
  get total(): number {
    return this.heldBytes;
  }

  /** @returns an account with nothing in it, held once */
  open(): ByteAccount {
    return new ByteAccount(this);
  }

  /** @throws overloaded where so many bytes more would not fit now */
  check(bytes: number): void {
    if (this.heldBytes + bytes > this.maxBytes) {
      throw this.refuse(`the worker holds ${this.heldBytes} bytes of request bodies and answers`);
    }
  }

  /** For claims alone: one of them goes from `before` bytes to `after`. */
  replace(before: number, after: number): void {
    const total = this.heldBytes + after - before;
    if (!(before >= 0 && after >= 0 && total >= 0))
      throw new Error(`accounts of ${this.heldBytes} bytes lose ${before}`);
    this.heldBytes = total;
  }
}

/** Bytes of one request. */
export class ByteAccount implements RefCounted {
  private readonly claims: Claim[] = [];
  private readonly references = createRefCounted(() => this.close());
  private isClosed = false;

  constructor(private readonly accounts: ByteAccounts) {}

  get retain(): () => Release {
    return this.references.retain;
  }

  get release(): Release {
    return this.references.release;
  }

  /** @returns a claim of nothing yet */
  claim(): Claim {
    const claim = new Claim(this.accounts);
    if (this.isClosed) claim.end();
    else this.claims.push(claim);
    return claim;
  }

  /** @throws overloaded where so many bytes more would not fit now; takes nothing */
  check(bytes: number): void {
    this.accounts.check(bytes);
  }

  private close(): void {
    this.isClosed = true;
    for (const claim of this.claims) claim.end();
  }
}

/** Bytes that one request holds for one purpose. */
export class Claim implements ByteCounter {
  private held = 0;
  private isEnded = false;

  constructor(private readonly accounts: ByteAccounts) {}

  get bytes(): number {
    return this.held;
  }

  grow(bytes: number): void {
    if (this.isEnded) throw new ShortlistError('deadline_exceeded', 'the request is over; nothing is kept for it');
    this.accounts.check(bytes);
    this.set(this.held + bytes);
  }

  /** Gives all of it back. */
  free(): void {
    this.set(0);
  }

  /** Gives all of it back, for good. */
  end(): void {
    this.isEnded = true;
    this.free();
  }

  private set(bytes: number): void {
    this.accounts.replace(this.held, bytes);
    this.held = bytes;
  }
}
