/** Checks that the port is free, and reserves a number for port 0. */
import { createServer } from 'node:net';
import { ShortlistError, errnoOf } from '../../base/errors.js';

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process is listening there; give another --port',
  EACCES: 'permission denied; give a --port of at least 1024',
  EADDRNOTAVAIL: 'this machine has no such address; give another --host',
  ENOTFOUND: 'unknown host; give another --host',
  EAI_AGAIN: 'the host name cannot be resolved; give another --host',
};

export function listenError(host: string, port: number, cause: Error): ShortlistError {
  const errno = errnoOf(cause);
  const why = REASONS[errno ?? ''] ?? cause.message;
  return new ShortlistError('io_error', `cannot listen on ${host}:${port}: ${why}`, { host, port, errno }, { cause });
}

/**
 * Listens for a moment. So a port in use is found before minutes of loading, and port 0 becomes one number for the
 * whole life of the server.
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
