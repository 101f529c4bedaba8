/** Compresses large answers for clients that accept gzip. */
import { pipeline } from 'node:stream';
import { createGzip, gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AnswerStream } from './answer-body.js';
import { acceptsGzip } from '../request/accept.js';

/**
 * Below this size, compressing (100 MB/s) takes longer than sending (1 Gbit/s), and costs more than all other work for
 * the answer. 100 candidates are 4 KiB; 1,000 with a title each are 100 KiB.
 */
const GZIP_MIN_BYTES = 64 * 1024;

/** Scores and ids compress badly: higher levels take three times as long for 10 % less. */
const LEVEL = 1;

/** Size of the chunks in which a large answer is compressed. */
const CHUNK_BYTES = 64 * 1024;

/**
 * An onSend hook. Compresses on another thread; a large answer as a stream, so that it is never held twice. Other
 * streams and compressed payloads are passed through.
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
    // If the client leaves, both streams end; there is nobody to report that to.
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
