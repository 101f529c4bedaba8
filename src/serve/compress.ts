/** Answers compressed on the way out, where the client takes it and they are large. */
import { gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { freeMemory } from './buffer-memory.js';
import { acceptsGzip } from './request/accept.js';

/**
 * Below this, compressing (100 MB/s) takes longer than sending (1 Gbit/s) and costs the worker more than all else that it
 * does for the answer. 100 candidates take 4 KiB, 1,000 with a title each 100 KiB.
 */
export const GZIP_MIN_BYTES = 64 * 1024;

/** Scores and ids hold little to find: higher levels take three times as long for a tenth less. */
const LEVEL = 1;

/** As an onSend hook. Compresses on a thread, so the event loop goes on. Streams and what is compressed already pass through. */
export function compressAnswer(
  request: FastifyRequest,
  reply: FastifyReply,
  payload: unknown,
  done: (error: Error | null, payload?: unknown) => void,
): void {
  const isLarge = (Buffer.isBuffer(payload) || typeof payload === 'string') && payload.length >= GZIP_MIN_BYTES;
  if (!isLarge || reply.hasHeader('content-encoding') || !acceptsGzip(request.headers['accept-encoding'])) {
    done(null, payload);
    return;
  }
  const { state } = request;
  const own = state.answer === payload ? state.answer : null;
  if (own !== null) state.answer = null; // a thread reads it, however the request ends meanwhile
  gzip(payload, { level: LEVEL }, (error, compressed) => {
    if (own !== null) freeMemory(own);
    if (error !== null) {
      done(error);
      return;
    }
    state.answer = compressed;
    void reply.header('content-encoding', 'gzip').removeHeader('content-length');
    done(null, compressed);
  });
}
