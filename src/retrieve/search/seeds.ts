/** Several queries with one answer: each is searched, and the best of all are returned, each with its seed. */
import { ShortlistError } from '../../base/errors.js';
import { MAX_K, MAX_SEEDS } from '../../base/limits.js';
import type { LoadedVersion } from '../load/loaded-version.js';
import { checkRange, type SeedQuery } from './search-options.js';
import { planQuery, type SearchPlan } from './search-plan.js';

/**
 * Plans a search with seeds. Items that are seeds are not returned.
 * @throws bad_field for no or too many seeds, or a weight or quota out of range
 */
export function planSeeds(version: LoadedVersion, plan: SearchPlan, seeds: readonly SeedQuery[]): SearchPlan {
  checkSeeds(seeds);
  return planQuery(version, plan, [...new Set(seeds.flatMap(({ self }) => self ?? []))]);
}

/** @throws as `planSeeds` */
export function checkSeeds(seeds: readonly SeedQuery[]): void {
  if (seeds.length === 0 || seeds.length > MAX_SEEDS) {
    const message = `seeds has ${seeds.length} entries; give 1 to ${MAX_SEEDS}`;
    throw new ShortlistError('bad_field', message, { field: 'seeds', max: MAX_SEEDS });
  }
  for (const [position, { weight, quota }] of seeds.entries()) {
    if (quota !== undefined) checkRange('bad_field', `seeds[${position}].quota`, quota, MAX_K);
    if (weight > 0 && weight < Infinity) continue;
    const message = `the weight of seed ${position} is ${weight}; give a finite number above 0`;
    throw new ShortlistError('bad_field', message, { field: `seeds[${position}].weight` });
  }
}
