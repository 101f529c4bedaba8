/**
 * Compares the attributes of a version with those of the live one: how many rows have a value, the numbers, and the
 * rows of each value of attributes with few different values. Of each, the attribute or value that changed most is
 * judged, and named in the detail.
 */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { formatNumber } from '../base/number-text.js';
import type { AttributeColumn } from '../version/sealed/attribute-column.js';
import type { AttributeStore } from '../version/sealed/attribute-store.js';
import { typeName } from '../version/sealed/type-name.js';
import { tallyAttribute, type AttributeTally } from './attribute-tally.js';
import { chanceOfDifference, chanceOfLoss } from './chance.js';
import { compareDates } from './compare-dates.js';
import { compareRanks, mostRepeated } from './compare-numbers.js';
import { compareTextRepeats } from './compare-texts.js';
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
  readonly isList: boolean;
  readonly fresh: AttributeTally;
  readonly live: AttributeTally;
}

interface ColumnPair {
  readonly name: string;
  readonly fresh: AttributeColumn;
  readonly live: AttributeColumn;
}

export interface ComparedAttributes {
  /** Attributes of both versions with equal types. */
  readonly names: readonly string[];
  /** Those of the version that can be checked value by value. */
  readonly groups: readonly string[];
}

/**
 * Attributes of both versions with equal types.
 * @param isChosen by name
 * @returns those that were compared
 */
export async function compareAttributes(
  fresh: AttributeStore | null,
  live: AttributeStore | null,
  isChosen: (name: string) => boolean,
  report: Report,
  turns: EventLoopYielder,
): Promise<ComparedAttributes> {
  const pairs: AttributePair[] = [];
  const columns: ColumnPair[] = [];
  for (const { name, type } of fresh?.fields ?? []) {
    const old = live?.fields.find((field) => field.name === name);
    if (fresh === null || live === null || old === undefined || typeName(old.type) !== typeName(type)) continue;
    if (!isChosen(name)) continue;
    const column: ColumnPair = { name, fresh: fresh.column(name), live: live.column(name) };
    columns.push(column);
    const isList = type.kind === 'list';
    pairs.push({ name, isList, fresh: await tallyAttribute(column.fresh, turns), live: await tallyAttribute(column.live, turns) }); // prettier-ignore
  }
  compareFilled(pairs, report);
  compareCounts(pairs, report);
  compareNewValues(pairs, report);
  compareNumbers(pairs, report);
  await compareDates(columns, report, turns);
  const isFreeText = ({ live: { field } }: ColumnPair, i: number): boolean =>
    field.type.kind === 'utf8' && hasManyValues(pairs[i]!.live);
  await compareTextRepeats(columns.filter(isFreeText), report, turns);
  const groups = pairs.filter(({ fresh: { counts } }) => isGroup(counts)).map(({ name }) => name);
  return { names: pairs.map(({ name }) => name), groups };
}

/** Attributes of a version that can be checked value by value. */
export async function groupAttributes(
  store: AttributeStore | null,
  isChosen: (name: string) => boolean,
  turns: EventLoopYielder,
): Promise<string[]> {
  const names: string[] = [];
  for (const name of (store?.names ?? []).filter(isChosen))
    if (isGroup((await tallyAttribute(store!.column(name), turns)).counts)) names.push(name);
  return names;
}

function isGroup(counts: ReadonlyMap<string, number> | null): boolean {
  return counts !== null && counts.size > 1 && counts.size <= MAX_GROUPS;
}

function hasManyValues({ counts }: AttributeTally): boolean {
  return counts === null || counts.size > MAX_GROUPS;
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

/** Rows whose value the live version lacks. A new tag of a list replaces nothing, and is no fault. */
function compareNewValues(pairs: readonly AttributePair[], report: Report): void {
  const shares = pairs.flatMap(({ name, fresh, live, isList }) => {
    if (isList || fresh.counts === null || !isGroup(live.counts) || fresh.filled < MIN_ROWS) return [];
    const added = [...fresh.counts].filter(([value]) => !live.counts!.has(value)).sort((a, b) => b[1] - a[1]);
    const rows = added.reduce((sum, [, count]) => sum + count, 0);
    const detail = added.length === 0 ? name : `${name}, most often ${JSON.stringify(added[0]![0])}`;
    return { value: rows / fresh.filled, detail };
  });
  const worst = minBy(shares, ({ value }) => -value);
  if (worst !== null) report.add('new_values', worst);
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
