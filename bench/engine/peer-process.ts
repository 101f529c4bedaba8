/** Starts, asks and ends the process of an engine. Searching processes are pinned to one core and take turns on it. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { compileHnswlib } from './compile-hnswlib.js';
import { PROJECT } from '../lib/library.js';
import type { Resident } from './memory.js';
import { EF_CONSTRUCTION, M, SEED, type BuildJob, type Built, type Point, type SearchJob } from './peer.js';
import { LABELS, type PeerName } from './labels.js';
import { PEERS } from './peers.js';

const HOST = fileURLToPath(new URL('./host.ts', import.meta.url));
const HNSWLIB_FILE = 'index.hnsw';
const SHOWN_STDERR_CHARS = 2_000;

export interface Timing {
  readonly qps: number;
  readonly p50Us: number;
  readonly p99Us: number;
}

interface Replies {
  readonly memory: Resident;
  readonly open: { readonly openMs: number };
  readonly answer: { readonly refused?: true };
  readonly time: Timing;
}

export async function buildPeer(name: PeerName, job: BuildJob): Promise<Omit<Built, 'threads'>> {
  const child = new PeerProcess(name, await buildCommand(name, job));
  try {
    const built = await child.reply<Omit<Built, 'threads' | 'bytes'> & { readonly bytes?: number }>();
    return { ...built, bytes: built.bytes ?? statSync(join(job.folder, HNSWLIB_FILE)).size };
  } finally {
    await child.end();
  }
}

/** @param core that it may run on; null: any */
export async function startSearching(name: PeerName, job: SearchJob, core: number | null): Promise<PeerProcess> {
  const command = await searchCommand(name, job);
  return new PeerProcess(name, core === null ? command : ['taskset', '-c', String(core), ...command]);
}

export const canPin = (): boolean => spawnSync('taskset', ['-V']).error === undefined;

/** None outlives the bench. */
const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export class PeerProcess {
  readonly name: PeerName;
  private readonly child: ChildProcess;
  private readonly lines: Interface;
  private readonly replies: AsyncIterator<string>;
  private stderr = '';

  constructor(name: PeerName, [program = '', ...args]: readonly string[]) {
    this.name = name;
    this.child = spawn(program, args, { cwd: PROJECT, stdio: ['pipe', 'pipe', 'pipe'] });
    running.add(this.child);
    this.child.once('exit', () => running.delete(this.child));
    this.child.on('error', (error) => (this.stderr += error.message));
    this.child.stdin!.on('error', () => undefined); // it has ended; the next reply says so
    this.child.stderr!.on('data', (text: Buffer) => {
      this.stderr = (this.stderr + text.toString()).slice(-SHOWN_STDERR_CHARS);
    });
    this.lines = createInterface({ input: this.child.stdout! });
    this.replies = this.lines[Symbol.asyncIterator]();
  }

  open(): Promise<Replies['open']> {
    return this.ask('open');
  }

  memory(): Promise<Replies['memory']> {
    return this.ask('memory');
  }

  answer(k: number, point: Point, path: string): Promise<Replies['answer']> {
    return this.ask(`answer ${k} ${JSON.stringify(point)} ${path}`);
  }

  time(k: number, point: Point, leastMs: number): Promise<Timing> {
    return this.ask(`time ${k} ${JSON.stringify(point)} ${leastMs}`);
  }

  /** The next reply. @throws Error with the last words of a process that ended instead */
  async reply<Reply>(): Promise<Reply> {
    for (let line = await this.replies.next(); line.done !== true; line = await this.replies.next()) {
      if (line.value.startsWith('@')) return JSON.parse(line.value.slice(1)) as Reply;
    }
    throw new Error(`${LABELS[this.name]} ended without an answer:\n${this.stderr.trim()}`);
  }

  async end(): Promise<void> {
    const { child } = this;
    this.lines.close();
    child.stdin!.end();
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  private ask<Reply>(request: string): Promise<Reply> {
    this.child.stdin!.write(`${request}\n`);
    return this.reply();
  }
}

const hostCommand = (mode: 'build' | 'search', name: PeerName, job: object): string[] =>
  [process.execPath, '--expose-gc', '--import', 'tsx', HOST, mode, name, JSON.stringify(job)]; // prettier-ignore

async function buildCommand(name: PeerName, job: BuildJob): Promise<string[]> {
  if (PEERS[name].program !== undefined) return hostCommand('build', name, job);
  const { data, folder, threads } = job;
  return [
    ...[await compileHnswlib(), 'build', data.metric, data.dim, data.rows, join(data.folder, 'base.f32')],
    ...[join(folder, HNSWLIB_FILE), M, EF_CONSTRUCTION, SEED, threads],
  ].map(String);
}

async function searchCommand(name: PeerName, job: SearchJob): Promise<string[]> {
  if (PEERS[name].program !== undefined) return hostCommand('search', name, job);
  const { data, folder } = job;
  const queries = join(data.folder, 'queries.f32');
  return [await compileHnswlib(), 'search', data.metric, String(data.dim), queries, join(folder, HNSWLIB_FILE)];
}
