/**
 * Reads request bodies: counted against the worker's memory as they arrive, and bounded. A body that is refused is still
 * read to its end, and thrown away, so that a client that is sending gets to see the answer; the server's time limit for a
 * whole request bounds that.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { ShortlistError } from '../../base/errors.js';
import type { HeldBytes } from '../admission.js';

/** @throws body_too_large, overloaded, malformed_http when the client breaks off */
export function receiveBody(payload: IncomingMessage, limit: number, memory: HeldBytes): Promise<Buffer> {
  if (Number(payload.headers['content-length'] ?? 0) > limit) return Promise.reject(tooLarge(limit));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    const stop = () => {
      payload.off('data', onData).off('end', onEnd).off('close', onBreak).off('error', onBreak);
    };
    const fail = (error: Error) => {
      stop();
      memory.shrink(received);
      payload.on('error', () => undefined);
      payload.resume();
      reject(error);
    };
    const onData = (chunk: Buffer) => {
      try {
        if (received + chunk.length > limit) throw tooLarge(limit);
        memory.grow(chunk.length);
      } catch (error) {
        fail(error as ShortlistError);
        return;
      }
      received += chunk.length;
      chunks.push(chunk);
    };
    const onEnd = () => {
      stop();
      resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, received));
    };
    const onBreak = () => fail(new ShortlistError('malformed_http', 'the body broke off before its end'));
    payload.on('data', onData).on('end', onEnd).on('close', onBreak).on('error', onBreak);
  });
}

function tooLarge(limit: number): ShortlistError {
  return new ShortlistError('body_too_large', `the body is larger than ${limit} bytes, the most that is taken`, {
    limit,
  });
}

/** @throws bad_json */
export function parseJson(bytes: Buffer): unknown {
  if (bytes.length === 0) throw new ShortlistError('bad_json', 'the body is empty; give a JSON object');
  if (!isUtf8(bytes)) throw new ShortlistError('bad_json', 'the body is not UTF-8');
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (error) {
    throw new ShortlistError('bad_json', `the body is not valid JSON: ${describeSyntaxError(error)}`);
  }
}

/** Only where: what V8 says otherwise quotes the body. */
function describeSyntaxError(error: unknown): string {
  const position = /at position \d+/.exec(error instanceof Error ? error.message : '');
  return position === null
    ? 'it ends too early or holds something that is not JSON, such as NaN'
    : `see ${position[0].slice(3)}`;
}
