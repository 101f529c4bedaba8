/**
 * Collects a body that arrives in pieces into one buffer. Pieces may be single bytes, each an object of a hundred, so
 * they are copied together at once; at most twice the arrived bytes are held. One claim counts them all.
 */
import type { Claim } from './byte-account.js';

/** Large enough for most bodies, so that they are moved at most once. */
const FIRST_BYTES = 64 * 1024;

export class BodyBytes {
  private buffer: Buffer = Buffer.alloc(0);
  private used = 0;

  /** @param maxBytes upper limit of the body's size, so that not too much is allocated at the end */
  constructor(
    private readonly claim: Claim,
    private readonly maxBytes: number,
  ) {}

  get length(): number {
    return this.used;
  }

  /** @throws overloaded; deadline_exceeded if the request is over */
  add(piece: Buffer): void {
    if (this.used === 0) {
      this.claim.grow(piece.length);
      this.buffer = piece; // a small body arrives in one piece, which is not copied
    } else {
      this.makeRoom(this.used + piece.length);
      piece.copy(this.buffer, this.used);
    }
    this.used += piece.length;
  }

  /** The body, held and counted until it is freed. */
  get bytes(): Buffer {
    return this.buffer.length === this.used ? this.buffer : this.buffer.subarray(0, this.used);
  }

  free(): void {
    this.buffer = Buffer.alloc(0);
    this.used = 0;
    this.claim.free();
  }

  private makeRoom(wanted: number): void {
    const old = this.buffer;
    if (wanted <= old.length) return;
    const room = Math.max(wanted, Math.min(this.maxBytes, Math.max(FIRST_BYTES, 2 * old.length)));
    this.claim.grow(room - old.length);
    this.buffer = Buffer.allocUnsafeSlow(room); // pages that were never written take no memory
    old.copy(this.buffer, 0, 0, this.used);
  }
}
