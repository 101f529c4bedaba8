/**
 * An answer on its way out. It was put together in pieces; a small one leaves as one buffer, a large one as it is
 * read, so that it is never copied whole, which takes longer than all requests should wait.
 */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

/** Up to here an answer is one buffer: copying it takes a fraction of a millisecond. */
const MAX_SINGLE_BYTES = 512 * 1024;

/** What is given to the connection at once. */
const PIECE_BYTES = 128 * 1024;

/** @param pieces of the answer, in order; they belong to the answer from here on */
export function answerBody(pieces: readonly Buffer[], reply: FastifyReply): Buffer | AnswerStream {
  const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
  if (bytes <= MAX_SINGLE_BYTES) return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, bytes);
  void reply.header('content-length', bytes);
  return new AnswerStream(pieces);
}

/** A large answer: what is taken out of it is not held any more. */
export class AnswerStream extends Readable {
  private readonly pieces: (Buffer | null)[];
  private next = 0;
  /** Of the next piece, what has been taken. */
  private taken = 0;

  constructor(pieces: readonly Buffer[]) {
    super({ highWaterMark: PIECE_BYTES });
    this.pieces = [...pieces];
  }

  /**
   * A piece each time that the event loop turns: a connection that takes all at once would be given tens of MiB in
   * one turn.
   */
  override _read(): void {
    if (this.next === 0 && this.taken === 0) this.pushNext();
    else setImmediate(() => this.destroyed || this.pushNext());
  }

  /** Small pieces as one; a large one as it lies, in parts, since copies are garbage too. */
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
