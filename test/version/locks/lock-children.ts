/** Processes that take locks when told, so that locks are tried between real processes. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { LockKind, LockTiming } from '../../../src/version/locks/lock.js';

const distribution = (file: string): string => new URL(`../../../dist/version/locks/${file}`, import.meta.url).href;

/** What a child does. It answers {won}, {failed: code}, {held} or {released}; see `LockChild`. */
const CODE = `
import { withLock } from '${distribution('lock.js')}';
import { currentProcess } from '${distribution('process-identity.js')}';
let wake;
process.on('message', async ({ take, host, ...options }) => {
  if (take === undefined) return wake(options.ask);
  const [root, kind] = take;
  const owner = { ...currentProcess(), ...(host && { host }) };
  try {
    await withLock(root, 'listings', kind, 'shortlist test', async (lock) => {
      process.send({ won: true });
      for (;;) {
        const asked = await new Promise((resolve) => (wake = resolve));
        if (asked === 'release') return;
        await lock.assertHeld();
        process.send({ held: true });
      }
    }, { ...options, owner });
    process.send({ released: true });
  } catch (error) {
    process.send({ failed: error.code ?? String(error) });
  }
});
process.on('disconnect', () => process.exit());
process.send({ ready: true });
`;

export type Answer = Readonly<Record<string, unknown>>;

export class LockChild {
  readonly process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.process = child;
  }

  static async start(): Promise<LockChild> {
    const child = spawn(process.execPath, ['--input-type=module', '-e', CODE], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    await once(child, 'message');
    return new LockChild(child);
  }

  /** Takes the lock and keeps it until asked to release. @param options host: a machine to pretend to run on */
  take(
    root: string,
    kind: LockKind,
    options: { waitMs?: number; timing?: LockTiming; host?: string } = {},
  ): Promise<Answer> {
    return this.ask({ take: [root, kind], ...options });
  }

  assertHeld(): Promise<Answer> {
    return this.ask({ ask: 'assert' });
  }

  release(): Promise<Answer> {
    return this.ask({ ask: 'release' });
  }

  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill('SIGKILL');
    await ended;
  }

  private async ask(message: object): Promise<Answer> {
    const answer = once(this.process, 'message');
    this.process.send(message);
    const [value] = (await answer) as [Answer];
    return value;
  }
}
