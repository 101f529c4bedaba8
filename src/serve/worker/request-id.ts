/** The id of a request, in its answer, in errors and in the log: the client's if it is valid, else a new one. */
import { randomUUID } from 'node:crypto';

export const REQUEST_ID_HEADER = 'x-request-id';

/** Characters of common ids and trace ids. Others could forge log lines or headers. */
const SANE_ID = /^[A-Za-z0-9._~:/+=-]{1,128}$/;

export function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && SANE_ID.test(header) ? header : randomUUID();
}
