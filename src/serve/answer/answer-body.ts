/**
 * Sends an answer that was written in pieces: a small one as one buffer, a large one as a stream. Copying a large
 * answer would block the event loop for too long.
 */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/** Up to this size an answer is one buffer: copying it takes a fraction of a millisecond. */
const MAX_SINGLE_BYTES = 512 * 1024;

/** Bytes passed to the connection at a time. */
const PIECE_BYTES = 128 * 1024;

/** @param pieces of the answer, in order; they must not be used afterwards */
export function answerBody(pieces: readonly Buffer[], reply: FastifyReply): Buffer | AnswerStream {
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (bytes <= MAX_SINGLE_BYTES) return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, bytes);
  void reply.header('content-length', bytes);
  return new AnswerStream(pieces);
}

/** A large answer. Pieces that were sent are not held any more. */
export class AnswerStream extends Readable {
  private readonly pieces: (Buffer | null)[];
  private next = 0;
  /** Bytes of the next piece that were sent. */
  private taken = 0;

  constructor(pieces: readonly Buffer[]) {
    super({ highWaterMark: PIECE_BYTES });
    this.pieces = [...pieces];
  }

  /** One piece per turn of the event loop: a fast connection would otherwise get tens of MiB in one turn. */
  override _read(): void {
    if (this.next === 0 && this.taken === 0) this.pushNext();
    else setImmediate(() => this.destroyed || this.pushNext());
  }

  /** Merges small pieces. Sends a large one in parts without copying, since copies are garbage too. */
  private pushNext(): void {
    const parts: Buffer[] = [];
    for (let room = PIECE_BYTES; room > 0 && this.next < this.pieces.length;) {
      const piece = this.pieces[this.next]!;
      if (parts.length > 0 && piece.length - this.taken > room) break;
      const part = piece.subarray(this.taken, this.taken + room);
      parts.push(part);
      room -= part.length;
      this.taken += part.length;
      if (this.taken < piece.length) break;
      this.pieces[this.next++] = null;
      this.taken = 0;
    }
    if (parts.length === 0) this.push(null);
    else this.push(parts.length === 1 ? parts[0] : Buffer.concat(parts));
  }
}
