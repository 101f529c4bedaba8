/** The demo as a user runs it, with a smaller catalog, and a server that is not made fast before it answers. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const QUICK_SERVER = { SHORTLIST_WARM_UP_MS: '50', SHORTLIST_WORKERS: '1' };
const TSX = join(PROJECT, 'node_modules/tsx/dist/loader.mjs');

describe('the demo', () => {
  let folder: string;
  let demo: ChildProcess;
  let output: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'shortlist-demo-'));
    output = '';
  });

  afterEach(() => {
    demo.kill('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  });

  function start(...args: string[]): void {
    const command = ['--import', TSX, 'scripts/demo.ts', '--rows', '300', '--folder', folder, ...args];
    const env = { ...process.env, ...QUICK_SERVER };
    demo = spawn(process.execPath, command, { cwd: PROJECT, stdio: ['ignore', 'pipe', 'pipe'], env });
    for (const stream of [demo.stdout!, demo.stderr!])
      stream.on('data', (piece: Buffer) => (output += piece.toString()));
  }

  async function printed(text: string): Promise<void> {
    while (!output.includes(text)) {
      if (demo.exitCode !== null) throw new Error(`the demo ended before it printed "${text}":\n${output}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** The process of the server, from its log. */
  function serverPid(): number {
    const [line] = readFileSync(join(folder, 'server.log'), 'utf8').split('\n');
    return (JSON.parse(line!) as { pid: number }).pid;
  }

  function isAlive(pid: number): boolean {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  }

  it('builds, measures, publishes, serves, asks and ends, with --once', async () => {
    start('--once');
    const [exit] = (await once(demo, 'close')) as [number | null];
    expect(exit, output).toBe(0);
    expect(output).toMatch(/published listings@\S+ \(before: nothing\)/);
    expect(output).toMatch(/recall@100 +[01]\.\d{4} +≥ 0\.95/);
    expect(output).toMatch(/^ +0\.\d{3} {2}.*ring.* {2}jewelry +\d+\.\d\d {2}\d+$/m);
    expect(output).toMatch(/the graph found \d+ of these 100/);
    expect(isAlive(serverPid())).toBe(false);
  });

  it('keeps serving until it is interrupted, and leaves nothing behind', async () => {
    start();
    await printed('Ctrl-C ends the demo.');
    const pid = serverPid();
    expect(isAlive(pid)).toBe(true);
    const url = /served at (\S+),/.exec(output)![1]!;
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    demo.kill('SIGINT');
    const [exit] = (await once(demo, 'close')) as [number | null];
    expect(exit).toBe(0);
    expect(isAlive(pid)).toBe(false);
  });

  it('says so and fails when the server dies', async () => {
    start();
    await printed('Ctrl-C ends the demo.');
    process.kill(serverPid(), 'SIGKILL');
    const [exit] = (await once(demo, 'close')) as [number | null];
    expect(exit).toBe(1);
    expect(output).toContain('the server ended with SIGKILL');
  });

  it('shows what went wrong when a command fails', async () => {
    start('--rows', '0');
    const [exit] = (await once(demo, 'close')) as [number | null];
    expect(exit).toBe(1);
    expect(output).toContain('no_rows');
    expect(output).toContain('ended with exit code 65');
  });
});
