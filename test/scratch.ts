/** Where tests keep many small files for a moment: in memory, where the system has such a folder. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** The environment variable by which a run of all tests tells its folder to its processes. */
export const SCRATCH_VARIABLE = 'SHORTLIST_TEST_SCRATCH';

/** @returns a folder that is there: of this run of tests, or of all programs */
export const scratchFolder = (): string =>
  process.env[SCRATCH_VARIABLE] ?? (existsSync('/dev/shm') ? '/dev/shm' : tmpdir());
