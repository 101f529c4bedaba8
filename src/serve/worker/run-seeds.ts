/** A search with seeds: what was asked to what is searched with, and from there to its one answer. */
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { checkQuery } from '../../retrieve/search/query.js';
import { searchSeedsInTurns, type SeedQuery } from '../../retrieve/search/search.js';
import { atField, fieldAtOptions, fieldError } from '../request/field-error.js';
import type { SeedRequest } from '../request/seeds.js';
import { secondsSince, take, turnsOf, unknownId, type Work } from './run-queries.js';

/** @throws unknown_id, bad_field for a quota above k, and as `checkQuery`; each names the seed's field */
export function prepareSeeds(version: LoadedVersion, seeds: readonly SeedRequest[], k: number): SeedQuery[] {
  return seeds.map((seed, position) => {
    if (seed.quota !== undefined && seed.quota > k) {
      const field = `/seeds/${position}/quota`;
      throw fieldError('bad_field', field, `quota is ${seed.quota}, more than k, which is ${k}`);
    }
    return { ...prepareSeed(version, seed), weight: seed.weight, quota: seed.quota };
  });
}

function prepareSeed(version: LoadedVersion, { of, field }: SeedRequest): Pick<SeedQuery, 'query' | 'self'> {
  return atField(field, () => {
    if ('vector' in of) return { query: checkQuery(version.manifest, of.vector), self: undefined };
    const ordinal = version.ordinalOf(of.id);
    if (ordinal < 0) throw unknownId(version, of.id);
    return { query: version.vectorOf(ordinal), self: ordinal };
  });
}

/** Fills the answer. @throws deadline_exceeded unless the request allows partial answers */
export async function runSeeds(work: Work, seeds: readonly SeedQuery[]): Promise<void> {
  const { context, version, asked, limit, pool } = work;
  const { allowPartial } = asked;
  try {
    await context.scheduler.run(1, limit, () => undefined); // waits for its turn, as every search
  } catch (error) {
    if (!allowPartial || error !== limit.reason) throw error; // else what follows answers with nothing
  }
  const begun = performance.now();
  const turns = { ...turnsOf(work), allowPartial };
  const answer = await searchSeedsInTurns(version, pool, seeds, asked.options, turns).catch((error: unknown) => {
    throw fieldAtOptions(error);
  });
  take(work, 0, answer, secondsSince(begun));
}
