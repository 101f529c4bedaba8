/**
 * Counts the memory that requests occupy in a worker: bodies as they arrive, what they are parsed to, and answers until
 * they are sent.
 *
 * Each request has an account, and in it a claim per purpose; their sum is limited. A claim returns exactly the bytes
 * it took, once: when the code that made it frees it, or when the request ends. So nothing is subtracted twice, in
 * whatever order a connection fails.
 *
 * Fails with `overloaded` beyond the limit, counting nothing; and with `deadline_exceeded` if the account is closed,
 * since then the request is over and its work should stop.
 */
import { ShortlistError } from '../../base/errors.js';

/** Releases a reference; further calls have no effect. */
type Release = () => void;

/** A resource of the worker that a request holds. It is freed when all references are released. */
export interface RefCounted {
  /** Adds a reference. @returns its release */
  readonly retain: () => Release;
  /** Releases the first reference, that of the creator. */
  readonly release: Release;
}

/** @param free called once, when the last reference is released; afterwards nothing can be retained */
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

/** The part of a claim for code that allocates step by step. */
export interface ByteCounter {
  /** @throws overloaded, deadline_exceeded; then nothing is counted */
  grow(bytes: number): void;
}

/** The bytes of one request. */
export class ByteAccounts {
  private heldBytes = 0;

  /** @param refuse creates the error beyond the limit */
  constructor(
    private readonly maxBytes: number,
    private readonly refuse: (why: string) => ShortlistError,
  ) {}

  /** Bytes of all claims. */
  get total(): number {
    return this.heldBytes;
  }

  /** @returns an empty account, with one reference */
  open(): ByteAccount {
    return new ByteAccount(this);
  }

  /** @throws overloaded if so many more bytes do not fit now; takes nothing */
  check(bytes: number): void {
    if (this.heldBytes + bytes > this.maxBytes) {
      throw this.refuse(`the worker holds ${this.heldBytes} bytes of request bodies and answers`);
    }
  }

  /** Only for claims: one of them changes from `before` to `after` bytes. */
  replace(before: number, after: number): void {
    const total = this.heldBytes + after - before;
    if (!(before >= 0 && after >= 0 && total >= 0))
      throw new Error(`a claim of ${before} bytes changes to ${after}, with ${this.heldBytes} bytes in total`);
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

  /** @returns an empty claim */
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

/** The bytes of one request for one purpose. */
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

  /** Returns all bytes; the claim can be used again. */
  free(): void {
    this.set(0);
  }

  /** Returns all bytes for good. */
  end(): void {
    this.isEnded = true;
    this.free();
  }

  private set(bytes: number): void {
    this.accounts.replace(this.held, bytes);
    this.held = bytes;
  }
}
