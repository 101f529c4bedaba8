/**
 * What the worker reads of a request's head itself: whether it is valid, and the request's id.
 *
 * Node's parser accepts heads that RFC 9112 does not: versions other than 1.0 and 1.1 (a request line without a version
 * is HTTP/0.9), and a Host header that is missing, repeated or invalid. Proxies and servers that interpret such heads
 * differently make request smuggling possible, so they are rejected.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ShortlistError } from '../../base/errors.js';

/** A name or address (RFC 3986) and a port; empty if the request target has no authority. */
const HOST = /^(?:\[[0-9a-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;

/** @returns malformed_http, or undefined if the head is valid */
export function checkHead({ httpVersion, rawHeaders }: IncomingMessage): ShortlistError | undefined {
  if (httpVersion !== '1.1' && httpVersion !== '1.0') {
    const found = httpVersion === '0.9' ? 'has no HTTP version' : `has version HTTP/${httpVersion}`;
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
  return HOST.test(host) ? undefined : malformed('the Host header is not a host name or address with an optional port');
}

function malformed(message: string): ShortlistError {
  return new ShortlistError('malformed_http', message);
}

export const REQUEST_ID_HEADER = 'x-request-id';

/** Characters of common ids and trace ids. Others could forge log lines or headers. */
const SANE_ID = /^[A-Za-z0-9._~:/+=-]{1,128}$/;

/** The id of a request, in its answer, in errors and in the log: the client's if it is valid, else a new one. */
export function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && SANE_ID.test(header) ? header : randomUUID();
}
