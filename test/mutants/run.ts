/** Runs the program of mutants in processes of its own, one after the other, and goes on after one that ended by a crash. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./program.ts', import.meta.url));

export interface MutantReport {
  /** Mutants by what became of them. */
  readonly counts: Readonly<Record<string, number>>;
  readonly failures: readonly string[];
}

/** Failures after which it stops: more of them say nothing new. */
const MAX_FAILURES = 30;

export async function runMutants(
  folder: string,
  versions: Readonly<Record<string, string>>,
  { seed, from = 0, count }: { readonly seed: number; readonly from?: number; readonly count: number },
): Promise<MutantReport> {
  const counts: Record<string, number> = {};
  const failures: string[] = [];
  const end = from + count;
  for (let next = from; next < end && failures.length < MAX_FAILURES;) {
    const { lines, status } = await runProgram([
      folder,
      JSON.stringify(versions),
      String(seed),
      String(next),
      String(end),
    ]);
    for (const line of lines) {
      const found = JSON.parse(line) as { counts?: Record<string, number>; mutant?: string; error?: string };
      if (found.mutant !== undefined) failures.push(`${found.mutant}\n${found.error}`);
      for (const [name, number] of Object.entries(found.counts ?? {})) counts[name] = (counts[name] ?? 0) + number;
    }
    if (status === '0') break;
    // What was counted of a process that crashed is lost; the mutant in hand is what counts.
    const inHand = readFileSync(join(folder, 'mutant.txt'), 'utf8');
    failures.push(`${inHand}\nthe process ended with ${status}`);
    next = Number(/^mutant (\d+)/.exec(inHand)![1]) + 1;
  }
  return { counts, failures };
}

function runProgram(args: readonly string[]): Promise<{ lines: string[]; status: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve({ lines: text.split('\n').filter((line) => line.startsWith('{')), status: signal ?? String(code) });
    });
  });
}
