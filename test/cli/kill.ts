/** Commands that are killed while they work. */
import { seededRandom } from '../../src/base/random.js';
import { spawnShortlist } from './process.js';

/** Runs a command and kills it with SIGKILL after a while, if it has not ended by then. @returns its exit code, null where it was killed */
export async function runAndKill(args: readonly string[], afterMs: number): Promise<number | null> {
  const child = spawnShortlist([...args, '--log-level', 'silent']);
  child.stdout!.resume();
  child.stderr!.resume();
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  clearTimeout(timer);
  return code;
}

/** How long a command takes when nobody kills it. */
export async function timeOf(args: readonly string[]): Promise<number> {
  const started = performance.now();
  const code = await runAndKill(args, 600_000);
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
  return performance.now() - started;
}

/** Moments spread over a command's life, its start-up and its end included. */
export function randomMoments(count: number, withinMs: number, seed: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random() * withinMs * 1.1);
}
