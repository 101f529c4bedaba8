/** Asks the servers what must be known before a search: rows that pass, items that queries name, ids to explain. */
import { ShortlistError } from '../../base/errors.js';
import type { ExplainedId } from '../../retrieve/search/explained-ids.js';
import type { SearchOptions } from '../../retrieve/search/search-options.js';
import type { FilterExplain } from '../../wire/answers.js';
import { readPrepareAnswer, UNKNOWN, writePrepareRequest, type PrepareAnswer } from '../fleet/prepare-message.js';
import { withOptionField } from '../request/field-error.js';
import type { Queries } from '../request/search-request.js';
import type { FleetItem, Prepared } from './fleet-plan.js';
import type { FleetRequest } from './fleet-request.js';
import { shardsUnavailable } from './fleet-request.js';
import type { FleetVersion } from './fleet-version.js';

export interface PreparedRequest extends Prepared {
  /** Items by id, of the ids that queries name. */
  readonly items: ReadonlyMap<string, FleetItem>;
}

/** What one group is asked for. */
interface Asked {
  readonly group: number;
  readonly ids: readonly string[];
  readonly whyNot: readonly string[];
  readonly answer: PrepareAnswer | null;
}

/** One round trip; none for queries that are vectors, without filter and exclusions. @throws as planSearch */
export async function prepareRequest(
  request: FleetRequest,
  queries: Queries,
  options: SearchOptions,
): Promise<PreparedRequest> {
  const { version } = request;
  const counts = options.filter !== undefined || (options.excludeIds ?? []).length > 0;
  const ids = splitByGroup(version, idsOf(queries));
  const whyNot = splitByGroup(version, options.whyNot ?? []);
  const wanted = [...version.groups.keys()].filter(
    (group) => counts || ids[group]!.length > 0 || whyNot[group]!.length > 0,
  );
  const ask = async (group: number): Promise<Asked> => {
    const asked = { group, ids: ids[group]!, whyNot: whyNot[group]! };
    const body = writePrepareRequest({ selection: request.selectionOf(group), counts, ...asked });
    const shards = counts ? version.groups[group]!.shards.length : 0;
    const read = (bytes: Buffer) => readPrepareAnswer(bytes, shards, asked.ids.length, version.manifest.dim);
    return { ...asked, answer: await request.ask(group, 'prepare', body, read) };
  };
  const answers = await Promise.all(wanted.map(ask)).catch((error: unknown) => {
    throw withOptionField(error);
  });
  return {
    allowed: countAllowed(version, answers, counts),
    filter: addFilters(version, answers),
    explainedIds: options.whyNot === undefined ? null : joinExplained(options.whyNot, answers),
    items: collectItems(version, answers),
  };
}

/** Ids without errors that queries name, each once. */
function idsOf(queries: Queries): string[] {
  if (queries.kind === 'ids')
    return [...new Set(queries.ids.flatMap((id) => (id instanceof ShortlistError ? [] : [id])))];
  if (queries.kind !== 'seeds') return [];
  return [...new Set(queries.seeds.flatMap(({ query }) => ('id' in query ? [query.id] : [])))];
}

/** @throws shards_unavailable for an id whose shard is missing */
function splitByGroup(version: FleetVersion, ids: readonly string[]): string[][] {
  const split = version.groups.map((): string[] => []);
  for (const id of ids) {
    const shard = version.shardOfId(id);
    const own = split[version.groupOf(shard)];
    if (own === undefined) throw shardsUnavailable(version.manifest, [shard]);
    own.push(id);
  }
  return split;
}

/** A lost shard counts as if all of its rows might be returned: its searches are then known to be missing. */
function countAllowed({ manifest, groups }: FleetVersion, answers: readonly Asked[], counts: boolean): number[] {
  const allowed = manifest.shards.map(({ count }) => count);
  for (const { group, answer } of answers) {
    if (!counts || answer === null) continue;
    for (const [i, shard] of groups[group]!.shards.entries()) allowed[shard] = answer.allowed[i]!;
  }
  return allowed;
}

function addFilters({ manifest }: FleetVersion, answers: readonly Asked[]): FilterExplain | null {
  const filters = answers.flatMap(({ answer }) => answer?.filter ?? []);
  if (filters.length === 0) return null;
  const passed = filters.reduce((sum, filter) => sum + filter.passed, 0);
  return {
    selectivity: manifest.count === 0 ? 1 : passed / manifest.count,
    passed,
    took_us: Math.max(...filters.map(({ took_us: tookUs }) => tookUs)),
    cached: filters.every(({ cached }) => cached),
  };
}

function joinExplained(whyNot: readonly string[], answers: readonly Asked[]): ExplainedId[] {
  const known = new Map(answers.flatMap(({ answer }) => answer?.explained ?? []).map((one) => [one.id, one]));
  return whyNot.map((id) => known.get(id) ?? { id, item: null });
}

function collectItems({ manifest }: FleetVersion, answers: readonly Asked[]): Map<string, FleetItem> {
  const items = new Map<string, FleetItem>();
  const { dim } = manifest;
  for (const { ids, answer } of answers) {
    if (answer === null) continue;
    const { ordinals, shards, rows, mayReturn, vectors } = answer.items;
    for (const [i, id] of ids.entries()) {
      if (ordinals[i] === UNKNOWN) continue;
      const vector = vectors.subarray(i * dim, (i + 1) * dim);
      items.set(id, { ordinal: ordinals[i]!, shard: shards[i]!, row: rows[i]!, mayReturn: mayReturn[i] === 1, vector });
    }
  }
  return items;
}
