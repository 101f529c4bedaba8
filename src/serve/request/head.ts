/**
 * What Node's parser lets through of a request's head and RFC 9112 does not: versions other than 1.0 and 1.1 (a
 * request line without one is HTTP/0.9), and a Host that is missing, given twice or no host. Proxies and servers that
 * read such a head differently are how requests get smuggled.
 */
import type { IncomingMessage } from 'node:http';
import { ShortlistError } from '../../base/errors.js';

/** A name or address as RFC 3986 has it, and a port; empty where the target of the request has no authority. */
const HOST = /^(?:\[[0-9a-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;

/** @returns malformed_http, or undefined where the head is fine */
export function checkHead({ httpVersion, rawHeaders }: IncomingMessage): ShortlistError | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    const found = httpVersion === '0.9' ? 'has no HTTP version' : `is of HTTP/${httpVersion}`;
    return malformed(`the request line ${found}; send HTTP/1.1`);
  }
  let host: string | null = null;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue;
    if (host !== null) return malformed('the request has two Host headers');
    host = rawHeaders[i + 1]!;
  }
  if (host === null) return httpVersion === '1.0' ? undefined : malformed('the request has no Host header');
  return HOST.test(host) ? undefined : malformed('the Host header is no host name or address with a port');
}

function malformed(message: string): ShortlistError {
  return new ShortlistError('malformed_http', message);
}
