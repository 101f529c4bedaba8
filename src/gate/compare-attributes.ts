/**
 * Compares the attributes of a version with those of the live one: how many rows have a value, the numbers, and the
 * rows of each value of attributes with few different values. Of each, the attribute or value that changed most is
 * judged, and named in the detail.
 */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { formatNumber } from '../base/number-text.js';
import type { AttributeStore } from '../version/sealed/attribute-store.js';
import { typeName } from '../version/sealed/type-name.js';
import { tallyAttribute, type AttributeTally } from './attribute-tally.js';
import { chanceOfDifference, chanceOfLoss } from './chance.js';
import { compareRanks, mostRepeated } from './compare-numbers.js';
import type { Report } from './report.js';

/** Attributes with more different values are not checked value by value. */
const MAX_GROUPS = 100;

/** Fewer rows say nothing about an attribute or a value. */
const MIN_ROWS = 50;
/** Nor does a value with a smaller share of the rows. */
const MIN_SHARE = 0.001;
/** Share of missing values that counts as none: new kinds of items may lack an attribute. */
const FEW_MISSING = 0.05;

interface AttributePair {
  readonly name: string;
  readonly fresh: AttributeTally;
  readonly live: AttributeTally;
}

/**
 * Attributes of both versions with equal types.
 * @param chosen their names; null: all
 * @returns those that can be checked value by value
 */
export async function compareAttributes(
  fresh: AttributeStore | null,
  live: AttributeStore | null,
  chosen: readonly string[] | null,
  report: Report,
  turns: EventLoopYielder,
): Promise<string[]> {
  const pairs: AttributePair[] = [];
  for (const { name, type } of fresh?.fields ?? []) {
    const old = live?.fields.find((field) => field.name === name);
    if (fresh === null || live === null || old === undefined || typeName(old.type) !== typeName(type)) continue;
    if (chosen !== null && !chosen.includes(name)) continue;
    const tally = (store: AttributeStore): Promise<AttributeTally> => tallyAttribute(store.column(name), turns);
    pairs.push({ name, fresh: await tally(fresh), live: await tally(live) });
  }
  compareFilled(pairs, report);
  compareCounts(pairs, report);
  compareNumbers(pairs, report);
  return pairs.filter(({ fresh: { counts } }) => isGroup(counts)).map(({ name }) => name);
}

/** Attributes of a version that can be checked value by value. */
export async function groupAttributes(store: AttributeStore | null, turns: EventLoopYielder): Promise<string[]> {
  const names: string[] = [];
  for (const name of store?.names ?? [])
    if (isGroup((await tallyAttribute(store!.column(name), turns)).counts)) names.push(name);
  return names;
}

function isGroup(counts: ReadonlyMap<string, number> | null): boolean {
  return counts !== null && counts.size > 1 && counts.size <= MAX_GROUPS;
}

function compareFilled(pairs: readonly AttributePair[], report: Report): void {
  const share = ({ filled, rows }: AttributeTally): number => filled / Math.max(1, rows);
  const known = pairs.filter(({ live }) => live.filled >= MIN_ROWS);
  const worst = minBy(known, ({ fresh, live }) => share(fresh) / share(live));
  if (worst === null) return;
  report.add('filled', { value: share(worst.fresh), live: share(worst.live), detail: worst.name });
  compareMissing(known, report);
}

/** Of 1,000 rows with a value 140 lose it, of 700 100: the first is a fault, the second may be a bad day. */
function compareMissing(pairs: readonly AttributePair[], report: Report): void {
  const missing = ({ filled, rows }: AttributeTally): number => 1 - filled / Math.max(1, rows);
  const ratios = pairs.map(({ name, fresh, live }) => {
    const [now, old] = [missing(fresh), missing(live)];
    const value = (now + FEW_MISSING) / (old + FEW_MISSING);
    const chance = chanceOfDifference(now, fresh.rows, old, live.rows) / (old + FEW_MISSING);
    return { name, now, old, value, chance };
  });
  const worst = minBy(ratios, ({ value, chance }) => chance - value);
  if (worst === null) return;
  const { name, now, old, value, chance } = worst;
  const percent = (part: number): string => `${formatNumber(100 * part, 2)} %`;
  report.add('missing', { value, chance, detail: `${name}: ${percent(now)} are missing, in the live version ${percent(old)}` }); // prettier-ignore
}

interface CountPair {
  readonly name: string;
  readonly fresh: number;
  readonly live: number;
}

function compareCounts(pairs: readonly AttributePair[], report: Report): void {
  const counts = pairs.flatMap((pair) => [...countValues(pair), ...countNonzero(pair)]);
  const rows = pairs[0]?.live.rows ?? 0;
  const known = counts
    .filter(({ live }) => live >= Math.max(MIN_ROWS, MIN_SHARE * rows))
    .map((pair) => ({ ...pair, chance: chanceOfLoss(pair.fresh, pair.live) }));
  const least = ({ fresh, live, chance }: (typeof known)[number]): number =>
    fresh < live ? Math.min(1, (fresh + chance) / live) : Math.min(1, live / Math.max(1, fresh - chance));
  const worst = minBy(known, least);
  if (worst === null) return;
  report.add('value_counts', { value: worst.fresh, live: worst.live, chance: worst.chance, detail: worst.name });
}

function countValues({ name, fresh, live }: AttributePair): CountPair[] {
  if (live.counts === null) return [];
  if (fresh.counts === null) return isGroup(live.counts) ? [{ name: `${name}, whose values are new`, fresh: 0, live: live.filled }] : []; // prettier-ignore
  // A single value is that of the night (a date, a batch), not a category.
  if (fresh.counts.size <= 1 && live.counts.size <= 1) return [];
  return [...live.counts].map(([value, count]) => ({
    name: `${name} = ${value}`,
    fresh: fresh.counts!.get(value) ?? 0,
    live: count,
  }));
}

/** Numbers that became 0, as a value that is missing often does. More numbers than before are no fault. */
function countNonzero({ name, fresh, live }: AttributePair): CountPair[] {
  if (fresh.numbers === null || live.numbers === null || fresh.numbers.nonzero >= live.numbers.nonzero) return [];
  return [{ name: `${name} other than 0`, fresh: fresh.numbers.nonzero, live: live.numbers.nonzero }];
}

function compareNumbers(pairs: readonly AttributePair[], report: Report): void {
  const samples = pairs.flatMap(
    ({ name, fresh, live }) =>
    fresh.numbers === null || live.numbers === null ? [] : { name, fresh: fresh.numbers.sample, live: live.numbers.sample }, // prettier-ignore
  );
  const shifts = samples.flatMap(({ name, fresh, live }) => {
    const shift = compareRanks(fresh, live);
    return shift === null ? [] : { name, ...shift };
  });
  const worst = minBy(shifts, ({ moved }) => -moved);
  if (worst !== null) {
    const { name, moved, median, liveMedian } = worst;
    const detail = `${name}: median without zeros ${formatNumber(median)}, in the live version ${formatNumber(liveMedian)}`; // prettier-ignore
    report.add('number_shift', { value: moved, detail });
  }
  const repeats = samples.flatMap(({ name, fresh, live }) => {
    const [now, old] = [mostRepeated(fresh), mostRepeated(live)];
    if (now === null || old === null) return [];
    return { name, now, old: old.share, chance: chanceOfDifference(now.share, fresh.length, old.share, live.length) };
  });
  const most = minBy(repeats, ({ now, old, chance }) => old + chance - now.share);
  if (most === null) return;
  const { name, now, old, chance } = most;
  report.add('number_repeats', { value: now.share, live: old, chance, detail: `${name} = ${formatNumber(now.number)}` }); // prettier-ignore
}

function minBy<T>(items: readonly T[], key: (item: T) => number): T | null {
  return items.reduce<T | null>((min, item) => (min === null || key(item) < key(min) ? item : min), null);
}
