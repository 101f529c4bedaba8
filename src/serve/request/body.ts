/**
 * Reads request bodies: counted against the worker's memory as they arrive, and bounded. A body that is refused is still
 * read to its end, and thrown away, so that a client that is sending gets to see the answer; the server's time limit for a
 * whole request bounds that.
 */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { ShortlistError } from '../../base/errors.js';
import type { Admission } from '../admission.js';

export interface ReceivedBody {
  readonly bytes: Buffer;
  /** Gives the bytes back to admission's count; at the end of the request. */
  release(): void;
}

/** @throws body_too_large, overloaded, malformed_http when the client breaks off */
export async function receiveBody(
  payload: IncomingMessage,
  limit: number,
  admission: Admission,
): Promise<ReceivedBody> {
  if (Number(payload.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  const chunks: Buffer[] = [];
  let received = 0;
  try {
    for await (const chunk of iterate(payload)) {
      if (received + chunk.length > limit) throw tooLarge(limit);
      admission.buffer(chunk.length);
      received += chunk.length;
      chunks.push(chunk);
    }
  } catch (error) {
    admission.unbuffer(received);
    if (error instanceof ShortlistError) throw error;
    throw new ShortlistError('malformed_http', 'the body broke off before its end', {}, { cause: error });
  }
  const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, received);
  return { bytes, release: () => admission.unbuffer(received) };
}

/** Leaving the loop early must not destroy the socket, over which the refusal goes out. */
function iterate(payload: IncomingMessage): AsyncIterable<Buffer> {
  return payload.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>;
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
