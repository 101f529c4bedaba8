/**
 * A process that asks for liveness and readiness like an orchestrator, each time on a new connection. Takes a port.
 * When told to stop, it sends the milliseconds that each answer took from the opening of its connection; null if none
 * came.
 */
import { connect } from 'node:net';

const EVERY_MS = 50;

const port = Number(process.argv[2]);
const taken: (number | null)[] = [];
const underway = new Set<Promise<void>>();
let count = 0;
const timer = setInterval(() => {
  const path = count++ % 2 === 0 ? '/livez' : '/readyz';
  const probe = ask(path).then((ms) => void taken.push(ms));
  underway.add(probe);
  void probe.then(() => underway.delete(probe));
}, EVERY_MS);

process.send!('ready');
process.once('message', () => {
  clearInterval(timer);
  void Promise.all(underway).then(() => process.send!(taken, () => process.disconnect()));
});

function ask(path: string): Promise<number | null> {
  const started = performance.now();
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(`GET ${path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n`),
    );
    socket.setEncoding('latin1').on('data', (part: string) => (text += part));
    socket.on('error', () => resolve(null));
    socket.on('close', () => resolve(text.startsWith('HTTP/1.1 200') ? performance.now() - started : null));
  });
}
