/**
 * Compares the attributes of a version with those of the live one: how many rows have a value, the mean of numbers, and
 * the rows of each value of attributes with few different values. Of each, the attribute or value that changed most is
 * judged, and named in the detail.
 */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import type { AttributeStore } from '../version/sealed/attribute-store.js';
import { typeName } from '../version/sealed/type-name.js';
import { tallyAttribute, type AttributeTally } from './attribute-tally.js';
import type { Report } from './report.js';

/** Attributes with more different values are not checked value by value. */
const MAX_GROUPS = 100;

/** Fewer rows say nothing about an attribute or a value. */
const MIN_ROWS = 50;
/** Nor does a value with a smaller share of the rows. */
const MIN_SHARE = 0.001;
/** Standard deviations by which a count may differ by chance. */
const CHANCE = 5;

interface AttributePair {
  readonly name: string;
  readonly fresh: AttributeTally;
  readonly live: AttributeTally;
}

/** Attributes of both versions with equal types. @returns those that can be checked value by value */
export async function compareAttributes(
  fresh: AttributeStore | null,
  live: AttributeStore | null,
  report: Report,
  turns: EventLoopYielder,
): Promise<string[]> {
  const pairs: AttributePair[] = [];
  for (const { name, type } of fresh?.fields ?? []) {
    const old = live?.fields.find((field) => field.name === name);
    if (fresh === null || live === null || old === undefined || typeName(old.type) !== typeName(type)) continue;
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
}

interface CountPair {
  readonly name: string;
  readonly fresh: number;
  readonly live: number;
}

function compareCounts(pairs: readonly AttributePair[], report: Report): void {
  const counts = pairs.flatMap(({ name, fresh, live }): CountPair[] => {
    if (live.counts === null) return [];
    if (fresh.counts === null) return isGroup(live.counts) ? [{ name: `${name}, whose values are new`, fresh: 0, live: live.filled }] : []; // prettier-ignore
    // A single value is that of the night (a date, a batch), not a category.
    if (fresh.counts.size <= 1 && live.counts.size <= 1) return [];
    return [...live.counts].map(([value, count]) => ({
      name: `${name} = ${value}`,
      fresh: fresh.counts!.get(value) ?? 0,
      live: count,
    }));
  });
  const rows = pairs[0]?.live.rows ?? 0;
  const known = counts.filter(({ live }) => live >= Math.max(MIN_ROWS, MIN_SHARE * rows));
  const changed = known.filter(({ fresh, live }) => Math.abs(fresh - live) > CHANCE * Math.sqrt(fresh + live));
  const worst = minBy(changed.length > 0 ? changed : known, ({ fresh, live }) => Math.min(fresh / live, live / fresh));
  if (worst === null) return;
  report.add('value_counts', { value: worst.fresh, live: worst.live, detail: worst.name });
}

function compareNumbers(pairs: readonly AttributePair[], report: Report): void {
  const shifts = pairs.flatMap(({ name, fresh, live }) => {
    if (fresh.numbers === null || live.numbers === null || live.filled < MIN_ROWS || fresh.filled < MIN_ROWS) return [];
    const { mean, deviation } = live.numbers;
    if (deviation === 0) return []; // one number for all rows is that of the night
    const shift = Math.abs(fresh.numbers.mean - mean) / deviation;
    return [{ name, shift, fresh: fresh.numbers.mean, live: mean }];
  });
  const worst = minBy(shifts, ({ shift }) => -shift);
  if (worst === null) return;
  const mean = (value: number): string => Number(value.toPrecision(6)).toLocaleString('en-US');
  report.add('number_shift', {
    value: worst.shift,
    detail: `the mean of ${worst.name} is ${mean(worst.fresh)}, in the live version ${mean(worst.live)}`,
  });
}

function minBy<T>(items: readonly T[], key: (item: T) => number): T | null {
  return items.reduce<T | null>((min, item) => (min === null || key(item) < key(min) ? item : min), null);
}
