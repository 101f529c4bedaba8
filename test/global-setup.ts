/**
 * Before all tests: dist/ is what the sources are now, and so it is again before tests run once more in watch mode.
 * Temporary files of a whole run, also those of processes that are killed, lie in two folders that go with it: on disk and in memory.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { compile } from '../scripts/build/compile.js';
import { SCRATCH_VARIABLE, scratchFolder } from './scratch.js';

/** @returns what vitest calls when all tests have ended */
export async function setup(project: TestProject): Promise<() => void> {
  await build(project);
  project.onTestsRerun(() => build(project));
  const [folder, scratch] = [tmpdir(), scratchFolder()].map((place) => mkdtempSync(join(place, 'shortlist-tests-')));
  process.env['TMPDIR'] = folder; // what os.tmpdir() reads, here and in every process that the tests start
  process.env[SCRATCH_VARIABLE] = scratch;
  return () => [folder, scratch].forEach((one) => rmSync(one!, { recursive: true, force: true }));
}

/** Types that do not fit end a run. Who watches sees them and the tests: the next edit may be the one that mends them. */
async function build({ config }: TestProject): Promise<void> {
  const { errors } = await compile(config.root);
  if (errors === null) return;
  if (!config.watch) throw new Error(`the sources do not compile:\n${errors}`);
  process.stderr.write(errors);
}
