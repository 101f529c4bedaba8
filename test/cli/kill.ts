/** Commands that are killed while they work. */
import { seededRandom } from '../../src/base/random.js';
import { spawnShortlist } from './process.js';

/** Runs a command and kills it with SIGKILL after a while, if it has not ended by then. @returns whether it was killed */
export async function runAndKill(args: readonly string[], afterMs: number): Promise<boolean> {
  const child = spawnShortlist([...args, '--log-level', 'silent']);
  child.stdout!.resume();
  child.stderr!.resume();
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
  const signal = await new Promise<NodeJS.Signals | null>((resolve) => child.on('close', (_code, how) => resolve(how)));
  clearTimeout(timer);
  return signal === 'SIGKILL';
}

/** How long a command takes when nobody kills it. */
export async function timeOf(args: readonly string[]): Promise<number> {
  const started = performance.now();
  if (await runAndKill(args, 600_000)) throw new Error(`${args.join(' ')} did not end`);
  return performance.now() - started;
}

/** Moments spread over a command's life, its start-up and its end included. */
export function randomMoments(count: number, withinMs: number, seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random() * withinMs * 1.1);
}
