/** Runs a real `shortlist serve` over a root, and builds searches for it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { CLI } from './library.js';
import { INDEX } from '../engine/peers/shortlist.js';

const SHOWN_LOG_LINES = 20;

/** None outlives the bench. */
const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export class ServerProcess {
  /** Where searches of the bench's index are posted. */
  readonly searchUrl: string;
  /** Of the process that holds the workers together. */
  readonly pid: number;
  readonly workerPids: readonly number[];
  private readonly child: ChildProcess;

  private constructor(child: ChildProcess, port: number, workerPids: readonly number[]) {
    this.child = child;
    this.searchUrl = `http://127.0.0.1:${port}/v1/indexes/${INDEX}/search`;
    this.pid = child.pid ?? 0;
    this.workerPids = workerPids;
  }

  /** Returns when all workers listen. */
  static async start(root: string, workers: number): Promise<ServerProcess> {
    const ports = ['--port', '0', '--drain-delay-ms', '0'];
    const args = [CLI, 'serve', '--root', root, ...ports, '--workers', String(workers), '--log-level', 'info'];
    // Nobody is in front of it who would have to hear that it goes.
    const env = { ...process.env, SHORTLIST_DRAIN_DELAY_MS: '0' };
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
    running.add(child);
    child.once('exit', () => running.delete(child));
    const seen: string[] = [];
    for await (const line of createInterface({ input: child.stderr })) {
      seen.push(line);
      const entry = parseLine(line);
      if (entry.msg !== 'listening') continue;
      child.stderr.resume();
      return new ServerProcess(child, entry.port ?? 0, entry.worker_pids ?? []);
    }
    throw new Error(`the server did not start:\n${seen.slice(-SHOWN_LOG_LINES).join('\n')}`);
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await ended;
  }
}

interface LogEntry {
  readonly msg?: string;
  readonly port?: number;
  readonly worker_pids?: readonly number[];
}

function parseLine(line: string): LogEntry {
  return line.startsWith('{') ? (JSON.parse(line) as LogEntry) : {};
}

/** The body of a search for the vector, in the form that is quickest to read. */
export function searchBody(vector: Float32Array, options: Readonly<Record<string, unknown>>): string {
  const bytes = Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength);
  return JSON.stringify({ vector_b64: bytes.toString('base64'), ...options });
}
