/** The port to listen on: is it free, and which is it. */
import { createServer } from 'node:net';
import { ShortlistError, errnoOf } from '../../base/errors.js';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process listens there; give another --port',
  EACCES: 'the user may not listen there; give a --port from 1024',
  EADDRNOTAVAIL: 'the machine has no such address; give another --host',
  ENOTFOUND: 'the host is not known; give another --host',
  EAI_AGAIN: 'the host cannot be looked up; give another --host',
};

export function listenError(host: string, port: number, cause: Error): ShortlistError {
  const errno = errnoOf(cause);
  const why = REASONS[errno ?? ''] ?? cause.message;
  return new ShortlistError('io_error', `cannot listen on ${host}:${port}: ${why}`, { host, port, errno }, { cause });
}

/**
 * Takes the port for a moment. A port that is taken shows before minutes of loading, and 0 becomes a number that all
 * workers, those of later too, have in common.
 * @throws io_error
 */
export function reservePort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error) => reject(listenError(host, port, error)));
    server.listen({ host, port, exclusive: true }, () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : port));
    });
  });
}
