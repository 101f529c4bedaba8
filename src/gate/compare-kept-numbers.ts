/**
 * Whether items kept their numbers. Distributions do not show that prices were shuffled over the ids, or that those of
 * one small category are in cents. Takes sampled ids of both versions; adds the checks `numbers_changed`,
 * `numbers_changed_by_value` and `numbers_shuffled`.
 *
 * A number has changed if it moved by more than the factor of compare-numbers.ts, became 0 or was 0. Where 0 is common,
 * as for discounts, it is a number as others are, and changes from and to it do not count.
 *
 * Keys and codes are shuffled within their numbers. The share that was shuffled is estimated in two ways: 1 minus the
 * rank correlation of old and new numbers, and the share that changed, divided by the share that a shuffle changes. The
 * lesser one is judged: a counter that grows changes all numbers and keeps their ranks.
 *
 * Some numbers are measured anew every night, without a relation to those before. They change as much as by a shuffle,
 * but the live version has few of them. They are left out.
 */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { shuffle } from '../base/random.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import type { AttributeColumn } from '../version/sealed/attribute-column.js';
import { MIN_ROWS, countRow, judgeWorst, type ChangedShare } from './changed-share.js';
import { hasMoved, smallestStep } from './compare-numbers.js';
import { groupKeys, type KeptPair } from './kept-rows.js';
import { expectedChange, rankCorrelation } from './rank-correlation.js';
import type { Report } from './report.js';

const ROWS_PER_STEP = 1_000;
/** ChangedShare of zeros from which on 0 is a number as others are. */
const COMMON_ZERO = 0.05;
/** Rank correlation below which new numbers have little to do with the old ones. */
const UNRELATED = 0.5;
/** ChangedShare of the new numbers that the live version has too, from which on they are its numbers. */
const REUSED = 0.5;
/** If fewer numbers differ, nothing was shuffled: most counters of rare events change little in a night. */
const FEW_DIFFER = 0.3;
/** ChangedShare of the changes of a shuffle from which on unrelated numbers are measured anew. */
const MOST = 0.8;
/** Numbers measured anew say nothing by value if so many change. If fewer do, a group in which all do is a fault. */
const MANY_CHANGED = 0.3;
const SEED = 42;

interface Numbers {
  readonly pairs: readonly KeptPair[];
  readonly now: Float64Array;
  readonly old: Float64Array;
}

/** @param names attributes of both versions, with equal types @param groups those with few different values */
export async function compareKeptNumbers(
  version: LoadedVersion,
  live: LoadedVersion,
  { names, groups }: { readonly names: readonly string[]; readonly groups: readonly string[] },
  kept: readonly KeptPair[],
  report: Report,
  turns: EventLoopYielder,
): Promise<void> {
  const keys = await keysOf(version, groups, kept, turns);
  const changed: ChangedShare[] = [];
  const byValue: ChangedShare[] = [];
  const shuffled: { name: string; share: number }[] = [];
  for (const name of names) {
    const fresh = version.attributes!.column(name);
    const before = live.attributes!.column(name);
    const numbers = isNumeric(fresh) ? await readNumbers(fresh, before, kept, turns) : null;
    if (numbers === null) continue;
    const { share, isUnrelated } = await measureShuffle(numbers, before, turns);
    shuffled.push({ name, share });
    const values = new Map<string, ChangedShare>();
    const all: ChangedShare = { name, rows: 0, changed: 0 };
    const isChanged = changeOf(numbers);
    for (const [i, pair] of numbers.pairs.entries()) {
      const changes = isChanged(i, i);
      countRow(all, changes);
      for (const key of keys.get(pair) ?? []) {
        if (key.startsWith(`${name} = `)) continue;
        if (!values.has(key)) values.set(key, { name: `${name} where ${key}`, rows: 0, changed: 0 });
        countRow(values.get(key)!, changes);
      }
      if (i % ROWS_PER_STEP === 0) await turns.yieldIfDue();
    }
    const isAnew = isUnrelated && all.changed >= MOST * changesOfShuffle(isChanged, all.rows);
    if (!isAnew) changed.push(all);
    if (!isAnew || all.changed < MANY_CHANGED * all.rows) byValue.push(...values.values());
  }
  judgeWorst('numbers_changed', changed, report);
  judgeWorst('numbers_changed_by_value', byValue, report);
  const [most] = shuffled.sort((a, b) => b.share - a.share);
  if (most !== undefined) report.add('numbers_shuffled', { value: most.share, detail: most.name });
}

async function keysOf(
  version: LoadedVersion,
  groups: readonly string[],
  kept: readonly KeptPair[],
  turns: EventLoopYielder,
): Promise<ReadonlyMap<KeptPair, string[]>> {
  const columns = groups.map((name) => ({ name, column: version.attributes!.column(name) }));
  const keys = new Map<KeptPair, string[]>();
  for (const [i, pair] of kept.entries()) {
    keys.set(pair, columns.flatMap(({ name, column }) => groupKeys(name, column, pair.ordinal))); // prettier-ignore
    if (i % ROWS_PER_STEP === 0) await turns.yieldIfDue();
  }
  return keys;
}

function isNumeric({ field: { type } }: AttributeColumn): boolean {
  return type.kind === 'int' || type.kind === 'float' || type.kind === 'decimal';
}

/** Old and new numbers of the items that have both. Null if they are few, or one number was that of all. */
async function readNumbers(
  fresh: AttributeColumn,
  before: AttributeColumn,
  kept: readonly KeptPair[],
  turns: EventLoopYielder,
): Promise<Numbers | null> {
  const [pairs, now, old]: [KeptPair[], number[], number[]] = [[], [], []];
  for (const [i, pair] of kept.entries()) {
    const [value, oldValue] = [numberAt(fresh, pair.ordinal), numberAt(before, pair.old)];
    if (i % ROWS_PER_STEP === 0) await turns.yieldIfDue();
    if (value === null || oldValue === null) continue;
    pairs.push(pair);
    now.push(value);
    old.push(oldValue);
  }
  if (pairs.length < MIN_ROWS || old.every((value) => value === old[0])) return null;
  return { pairs, now: Float64Array.from(now), old: Float64Array.from(old) };
}

/** Null for NaN and infinities too. */
function numberAt(column: AttributeColumn, ordinal: number): number | null {
  const value = column.value(ordinal);
  return value === null || !Number.isFinite(Number(value)) ? null : Number(value);
}

/** Whether a new number, by its position, is far from an old one. */
function changeOf({ now, old }: Numbers): (i: number, oldAt: number) => boolean {
  const minStep = smallestStep(old.toSorted());
  const zeros = old.reduce((sum, value) => sum + (value === 0 ? 1 : 0), 0);
  const isZeroCommon = zeros >= COMMON_ZERO * old.length;
  return (i, oldAt) => {
    const [value, before] = [now[i]!, old[oldAt]!];
    return isZeroCommon && (value === 0 || before === 0) ? false : hasMoved(value, before, minStep);
  };
}

/** How many numbers would change if each item got that of any other. */
function changesOfShuffle(isChanged: (i: number, oldAt: number) => boolean, rows: number): number {
  const others = shuffle(Uint32Array.from({ length: rows }, (_, i) => i), SEED); // prettier-ignore
  return others.reduce((sum, other, i) => sum + (isChanged(i, other) ? 1 : 0), 0);
}

/** The share that was shuffled, and whether new numbers are others than before, in another order. */
async function measureShuffle(
  { now, old }: Numbers,
  before: AttributeColumn,
  turns: EventLoopYielder,
): Promise<{ share: number; isUnrelated: boolean }> {
  const changed = now.reduce((sum, value, i) => sum + (value === old[i] ? 0 : 1), 0) / now.length;
  const correlation = changed < FEW_DIFFER ? null : rankCorrelation(now, old);
  if (correlation === null) return { share: 0, isUnrelated: false };
  const share = Math.max(0, Math.min(1, 1 - correlation, changed / expectedChange(now, old)));
  const isSuspect = correlation < UNRELATED || share > 1 - UNRELATED;
  if (!isSuspect || (await reusedShare(now, before, turns)) >= REUSED) return { share, isUnrelated: false };
  return { share: 0, isUnrelated: correlation < UNRELATED };
}

/** ChangedShare of the numbers that a column has anywhere. */
async function reusedShare(numbers: Float64Array, column: AttributeColumn, turns: EventLoopYielder): Promise<number> {
  const missing = new Set(numbers);
  for (const { column: chunk } of column.chunks) {
    if (chunk.shape !== 'numbers') continue;
    for (let row = 0; row < chunk.rows; row++) {
      missing.delete(Number(chunk.values[row]!));
      if (row % ROWS_PER_STEP === 0) await turns.yieldIfDue();
      if (missing.size === 0) return 1;
    }
  }
  return numbers.reduce((sum, value) => sum + (missing.has(value) ? 0 : 1), 0) / numbers.length;
}
