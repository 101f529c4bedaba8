/**
 * A body as it arrives: pieces in, one buffer out. Pieces may be single bytes, each an object of a hundred, so they are
 * copied together at once and what is held is at most twice what has arrived. All of it stands in one claim.
 */
import type { Claim } from './byte-account.js';

/** Most bodies fit, so they are moved at most once. */
const FIRST_BYTES = 64 * 1024;

export class BodyBytes {
  private buffer: Buffer = Buffer.alloc(0);
  private used = 0;

  /** @param maxBytes bytes that will come at most: less room is made at the end where that is known */
  constructor(
    private readonly claim: Claim,
    private readonly maxBytes: number,
  ) {}

  get length(): number {
    return this.used;
  }

  /** @throws overloaded; deadline_exceeded where the request is over */
  add(piece: Buffer): void {
    if (this.used === 0) {
      this.claim.grow(piece.length);
      this.buffer = piece; // a small body comes in one piece, and stays where it is
    } else {
      this.makeRoom(this.used + piece.length);
      piece.copy(this.buffer, this.used);
    }
    this.used += piece.length;
  }

  /** The body. It is held, and counted, until it is freed. */
  get bytes(): Buffer {
    return this.buffer.length === this.used ? this.buffer : this.buffer.subarray(0, this.used);
  }

  /** What was made of the bytes does not need them any more. */
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
    this.buffer = Buffer.allocUnsafeSlow(room); // pages that nothing is written to take no memory
    old.copy(this.buffer, 0, 0, this.used);
  }
}
