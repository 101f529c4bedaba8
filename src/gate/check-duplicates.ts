/**
 * Rows with equal vectors: among all rows, and among the rows with one value of an attribute, where a fault of one
 * category would be lost in the whole. Takes a version and the live one; adds the checks `duplicates` and
 * `duplicates_by_value`. The first reads all vectors. The second hashes a sample, in which few of the pairs of a large
 * version meet; a vector that many rows of a category have is found in any version.
 */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { sampleDistinct } from '../base/random.js';
import { countDistinct, hashRow } from '../retrieve/load/distinct-rows.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import { chanceOfDifference } from './chance.js';
import { groupKeys } from './kept-rows.js';
import type { Report } from './report.js';

const SAMPLE = 100_000;
const SEED = 42;
const ROWS_PER_STEP = 1_000;
/** Fewer rows of a value say nothing. */
const MIN_GROUP = 30;

/** @param groups attributes to look at by value */
export async function checkDuplicates(
  version: LoadedVersion,
  live: LoadedVersion | null,
  groups: readonly string[],
  report: Report,
  turns: EventLoopYielder,
): Promise<void> {
  const share = async ({ shards, manifest }: LoadedVersion): Promise<number> =>
    Math.max(0, 1 - (await countDistinct(shards, SEED, turns)) / Math.max(1, manifest.count));
  report.add('duplicates', { value: await share(version), live: live && (await share(live)) });
  if (live !== null) await compareByValue(version, live, groups, report, turns);
}

async function compareByValue(
  version: LoadedVersion,
  live: LoadedVersion,
  groups: readonly string[],
  report: Report,
  turns: EventLoopYielder,
): Promise<void> {
  const known = groups.filter((name) => live.attributes?.names.includes(name));
  const [now, before] = [await countByValue(version, known, turns), await countByValue(live, known, turns)];
  const compared = [...now.values]
    .filter(([, { rows }]) => rows >= MIN_GROUP)
    .map(([name, group]) => {
      // A new value is compared with all rows.
      const old = before.values.get(name) ?? before.all;
      const [share, oldShare] = [shareOf(group), shareOf(old)];
      return { name, share, oldShare, chance: chanceOfDifference(share, group.rows, oldShare, old.rows) };
    });
  const excess = ({ share, oldShare, chance }: (typeof compared)[number]): number => share - oldShare - chance;
  const [worst] = compared.sort((a, b) => excess(b) - excess(a));
  if (worst === undefined) return;
  const { name, share, oldShare, chance } = worst;
  report.add('duplicates_by_value', { value: share, live: oldShare, chance, detail: name });
}

interface Group {
  rows: number;
  /** Rows whose vector another row has too. */
  equal: number;
}

interface Groups {
  readonly all: Group;
  readonly values: ReadonlyMap<string, Group>;
}

async function countByValue(
  version: LoadedVersion,
  names: readonly string[],
  turns: EventLoopYielder,
): Promise<Groups> {
  const ordinals = sampleDistinct(version.manifest.count, SAMPLE, SEED);
  const hashes = new Float64Array(ordinals.length);
  const rowsByHash = new Map<number, number>();
  for (const [position, ordinal] of ordinals.entries()) {
    const { shard, row } = version.locate(ordinal);
    const hash = hashRow(version.shards[shard]!.graph.vectors, row, SEED);
    hashes[position] = hash;
    rowsByHash.set(hash, (rowsByHash.get(hash) ?? 0) + 1);
    if (position % ROWS_PER_STEP === 0) await turns.yieldIfDue();
  }
  const all: Group = { rows: 0, equal: 0 };
  const values = new Map<string, Group>();
  const columns = names.map((name) => ({ name, column: version.attributes!.column(name) }));
  for (const [position, ordinal] of ordinals.entries()) {
    const isEqual = rowsByHash.get(hashes[position]!)! > 1;
    count(all, isEqual);
    for (const { name, column } of columns) {
      for (const key of groupKeys(name, column, ordinal)) {
        const group = values.get(key) ?? { rows: 0, equal: 0 };
        values.set(key, group);
        count(group, isEqual);
      }
    }
    if (position % ROWS_PER_STEP === 0) await turns.yieldIfDue();
  }
  return { all, values };
}

function count(group: Group, isEqual: boolean): void {
  group.rows++;
  if (isEqual) group.equal++;
}

function shareOf({ rows, equal }: Group): number {
  return equal / Math.max(1, rows);
}
