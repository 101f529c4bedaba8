/**
 * Allocates the pieces of one large answer from common chunks: a batch has a thousand pieces, each of which would
 * otherwise be garbage of its own. Consecutive small pieces are adjacent and can be sent as one.
 */

const FIRST_BYTES = 16 * 1024;
const MAX_BYTES = 128 * 1024;

/** Larger pieces get their own buffer, so that at most a quarter of a chunk is wasted. */
const OWN_BYTES = MAX_BYTES / 4;

export class ChunkAllocator {
  private chunk: Buffer = Buffer.alloc(0);
  private used = 0;
  private next = FIRST_BYTES;

  /** @returns uninitialised memory */
  allocate(bytes: number): Buffer {
    if (bytes > OWN_BYTES) return Buffer.allocUnsafeSlow(bytes);
    if (bytes > this.chunk.length - this.used) {
      this.chunk = Buffer.allocUnsafeSlow(Math.max(bytes, this.next));
      this.used = 0;
      this.next = Math.min(2 * this.chunk.length, MAX_BYTES);
    }
    this.used += bytes;
    return this.chunk.subarray(this.used - bytes, this.used);
  }
}

/** Merges pieces that are adjacent in memory. */
export function mergeNeighbours(pieces: readonly Buffer[]): Buffer[] {
  const merged: Buffer[] = [];
  let last: Buffer | undefined;
  for (const piece of pieces) {
    if (last?.buffer === piece.buffer && last.byteOffset + last.length === piece.byteOffset) {
      last = Buffer.from(last.buffer, last.byteOffset, last.length + piece.length);
      merged[merged.length - 1] = last;
    } else {
      last = piece;
      merged.push(piece);
    }
  }
  return merged;
}
