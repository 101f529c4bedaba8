/** Many more damaged HDF5 files than hostile.test.ts: each takes a thread. */
import { describe, it } from 'vitest';
import { damageHdf5 } from './damage.js';

describe('damaged HDF5 files', () => {
  const seed = Number(process.env['SHORTLIST_TEST_SEED'] ?? 9);

  it(`end as tables or coded errors (seed ${seed})`, { timeout: 600_000 }, () => damageHdf5(seed, 60));
});
