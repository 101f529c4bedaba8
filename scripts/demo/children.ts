/**
 * The demo's child processes: the real command line, run to its end, and the server, until it is stopped. All of them
 * are ended when the demo ends, for whatever reason.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess, SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';

export const CLI = 'dist/cli/main.js';

/** A child that still runs this long after SIGTERM is killed; the server drains requests for a bit less. */
const END_MS = 12_000;

/** Lines of a failed server's log that are shown. */
const SHOWN_LOG_LINES = 20;

const running = new Set<ChildProcess>();

/**
 * Each child leads a process group of its own, so that Ctrl-C in the terminal reaches only the demo. The demo ends the
 * children in order; a second signal would make the server stop at once.
 */
function start(args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(process.execPath, [CLI, ...args], { ...options, detached: true });
  running.add(child);
  child.once('exit', () => running.delete(child));
  child.once('error', () => running.delete(child));
  return child;
}

/** Runs a command whose output the reader sees. */
export async function runShown(args: readonly string[]): Promise<void> {
  await expectSuccess(start(args, { stdio: ['ignore', 'inherit', 'inherit'] }), args);
}

/** Runs a command with `--json`: shows its progress and returns its answer. */
export async function runForJson<Answer>(args: readonly string[]): Promise<Answer> {
  const child = start([...args, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const pieces: Buffer[] = [];
  child.stdout!.on('data', (piece: Buffer) => pieces.push(piece));
  await expectSuccess(child, args, () => Buffer.concat(pieces).toString());
  return JSON.parse(Buffer.concat(pieces).toString()) as Answer;
}

async function expectSuccess(child: ChildProcess, args: readonly string[], output = (): string => ''): Promise<void> {
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  if (code === 0) return;
  const ending = signal === null ? `exit code ${code ?? 'none'}` : `signal ${signal}`;
  throw new Error(`shortlist ${args.join(' ')} ended with ${ending}\n${output()}`.trim());
}

/** The server, with its log in a file. */
export class ServerProcess {
  private constructor(
    private readonly child: ChildProcess,
    private readonly logPath: string,
  ) {}

  static start(args: readonly string[], logPath: string): ServerProcess {
    const log = openSync(logPath, 'w');
    try {
      return new ServerProcess(start(args, { stdio: ['ignore', log, log] }), logPath);
    } finally {
      closeSync(log);
    }
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** Resolves when the server has ended, in whatever way. */
  async ended(): Promise<void> {
    if (!this.hasEnded) await once(this.child, 'exit');
  }

  /** How it ended and the end of its log, for an error. */
  describeEnd(): string {
    const lines = readFileSync(this.logPath, 'utf8').trimEnd().split('\n').slice(-SHOWN_LOG_LINES);
    return `the server ended with ${this.child.signalCode ?? `exit code ${this.child.exitCode ?? 'none'}`}:\n${lines.join('\n')}`;
  }

  /** Lets requests in flight finish. @throws Error if the server does not end cleanly */
  async stop(): Promise<void> {
    await endChild(this.child);
    if (this.child.exitCode !== 0) throw new Error(this.describeEnd());
  }
}

/** Ends the children that still run, and waits for them. */
export async function endChildren(): Promise<void> {
  await Promise.all([...running].map(endChild));
}

/** For the exit of the process, when nothing can be awaited any more. */
export function killChildren(): void {
  for (const child of running) killGroup(child);
}

/** The child and the processes it started. */
function killGroup(child: ChildProcess): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  const timer = setTimeout(() => killGroup(child), END_MS);
  child.kill('SIGTERM');
  await ended;
  clearTimeout(timer);
}
