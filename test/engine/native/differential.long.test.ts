/** Random shards under every instruction set, in processes of their own, since each has one set: see differential-program.ts. */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeFolder } from '../graphs.js';

const PROGRAM = fileURLToPath(new URL('./differential-program.ts', import.meta.url));
/** Another seed finds other shards: SHORTLIST_TEST_SEED=7 npm run test:long -- differential */
const SEED = Number(process.env['SHORTLIST_TEST_SEED'] ?? 20_261_123);
const RUNS = 150;
const INSTRUCTION_SETS = ['generic', 'avx2', 'avx512'] as const;
/** How much less of the true neighbours may be found than by hnswlib at the same ef, over all shards. */
const RECALL_MARGIN = 0.005;

interface Outcome {
  readonly digest: string;
  /** Of the graphs that were built. */
  readonly codeBits: readonly number[];
  readonly native?: number;
  readonly hnswlib?: number;
  readonly pairs?: number;
}

const folder = makeFolder();
afterAll(() => folder.remove());

/** Null where this processor has no such set. What fast-check found is the error, with its seed. */
async function run(isa: string, ...rival: string[]): Promise<Outcome | null> {
  const place = join(folder.path, `${isa}-${rival.join()}`);
  mkdirSync(place);
  const program = ['--import', 'tsx', PROGRAM, place, String(SEED), String(RUNS), ...rival];
  try {
    const env = { ...process.env, SHORTLIST_ISA: isa };
    return JSON.parse((await promisify(execFile)(process.execPath, program, { env })).stdout) as Outcome;
  } catch (error) {
    if (String(error).includes('this processor runs')) return null;
    throw error;
  }
}

describe(`${RUNS} random shards of seed ${SEED}`, () => {
  let outcomes: (Outcome | null)[];
  beforeAll(async () => {
    outcomes = await Promise.all(INSTRUCTION_SETS.map((isa) => run(isa)));
  });

  it('are answered as scoring every row demands, under every instruction set that there is here', () => {
    expect(outcomes[0]?.digest).toMatch(/^[0-9a-f]{64}$/);
    expect(outcomes[0]!.codeBits).toEqual(expect.arrayContaining([4, 7, 16]));
  });

  it('have the same files and answers to the bit, whatever the instruction set', () => {
    expect(new Set(outcomes.flatMap((outcome) => outcome?.digest ?? [])).size).toBe(1);
  });

  it('are searched at least as well as by hnswlib at the same ef', async () => {
    const { native, hnswlib, pairs } = (await run('', 'hnswlib'))!;
    expect(pairs).toBeGreaterThan(200);
    expect(native).toBeGreaterThan(hnswlib! - RECALL_MARGIN);
  });
});
