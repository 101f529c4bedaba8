/** Temporary files of a whole run, also those of processes that are killed, lie in two folders that go with it: on disk and in memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SCRATCH_VARIABLE, scratchFolder } from './scratch.js';

/** @returns what vitest calls when all tests have ended */
export function setup(): () => void {
  const [folder, scratch] = [tmpdir(), scratchFolder()].map((place) => mkdtempSync(join(place, 'shortlist-tests-')));
  process.env['TMPDIR'] = folder; // what os.tmpdir() reads, here and in every process that the tests start
  process.env[SCRATCH_VARIABLE] = scratch;
  return () => [folder, scratch].forEach((one) => rmSync(one!, { recursive: true, force: true }));
}
