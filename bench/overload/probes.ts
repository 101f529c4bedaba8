/** Liveness and readiness as an orchestrator asks for them: each time on a new connection. */
import { connect } from 'node:net';

const EVERY_MS = 50;

export interface Probes {
  /** Milliseconds from the opening of a connection to the whole answer; Infinity where none came. */
  stop(): Promise<number[]>;
}

export function startProbes(port: number): Probes {
  const taken: number[] = [];
  const underway = new Set<Promise<void>>();
  let count = 0;
  const timer = setInterval(() => {
    const path = count++ % 2 === 0 ? '/livez' : '/readyz';
    const probe = ask(port, path).then((ms) => void taken.push(ms));
    underway.add(probe);
    void probe.then(() => underway.delete(probe));
  }, EVERY_MS);
  return {
    stop: async () => {
      clearInterval(timer);
      await Promise.all(underway);
      return taken;
    },
  };
}

function ask(port: number, path: string): Promise<number> {
  const started = performance.now();
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n`),
    );
    socket.setEncoding('latin1').on('data', (part: string) => (text += part));
    socket.on('error', () => resolve(Infinity));
    socket.on('close', () => resolve(text.startsWith('HTTP/1.1 200') ? performance.now() - started : Infinity));
  });
}
