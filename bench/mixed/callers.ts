/**
 * A process with three callers of large searches. Each sends its next request after an answer, and discards the
 * answers. Takes a URL, the kind of request (large.ts) and the index's rows. When told to stop, it sends the number of
 * answers by status.
 */
import { Agent, request } from 'node:http';
import { LARGE } from './large.js';

const CALLERS = 3;

const [url, name, rows] = process.argv.slice(2) as [string, string, string];
const makeBody = LARGE[name]!;
const agent = new Agent({ keepAlive: true });
const statuses: Record<number, number> = {};
let isStopping = false;

function ask(body: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', reject);
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

async function call(): Promise<void> {
  const id = () => String(Math.floor(Math.random() * Number(rows)));
  while (!isStopping) {
    const status = await ask(JSON.stringify(makeBody(id)));
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (status === 400) throw new Error(`${name}: the server refuses what is asked`);
  }
}

process.once('message', () => (isStopping = true));
await Promise.all(Array.from({ length: CALLERS }, call));
agent.destroy();
process.send!(statuses, () => process.disconnect());
