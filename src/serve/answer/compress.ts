/** Answers compressed on the way out, where the client takes it and they are large. */
import { pipeline } from 'node:stream';
import { createGzip, gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AnswerStream } from './answer-body.js';
import { acceptsGzip } from '../request/accept.js';

/**
 * Below this, compressing (100 MB/s) takes longer than sending (1 Gbit/s) and costs the worker more than all else
 * that it does for the answer. 100 candidates take 4 KiB, 1,000 with a title each 100 KiB.
 */
const GZIP_MIN_BYTES = 64 * 1024;

/** Scores and ids hold little to find: higher levels take three times as long for a tenth less. */
const LEVEL = 1;

/** What is compressed at once of a large answer. */
const CHUNK_BYTES = 64 * 1024;

/**
 * As an onSend hook. Compresses on a thread, so the event loop goes on; a large answer as it is read, so that it is
 * never held twice. Other streams and what is compressed already pass through.
 */
export function compressAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error: Error | null, payload?: unknown) => void,
): void {
  const isText = Buffer.isBuffer(payload) || typeof payload === 'string';
  const isLarge = payload instanceof AnswerStream || (isText && payload.length >= GZIP_MIN_BYTES);
  if (!isLarge || reply.hasHeader('content-encoding') || !acceptsGzip(request.headers['accept-encoding'])) {
    done(null, payload);
    return;
  }
  if (payload instanceof AnswerStream) {
    void reply.header('content-encoding', 'gzip').removeHeader('content-length');
    const packing = createGzip({ level: LEVEL, chunkSize: CHUNK_BYTES });
    // A client that leaves ends both; nobody is left to be told.
    done(
      null,
      pipeline(payload, packing, () => undefined),
    );
    return;
  }
  gzip(payload, { level: LEVEL }, (error, compressed) => {
    if (error !== null) {
      done(error);
      return;
    }
    void reply.header('content-encoding', 'gzip').removeHeader('content-length');
    done(null, compressed);
  });
}
