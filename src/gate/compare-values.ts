/**
 * Whether items kept their texts, flags and tags. Takes sampled ids of both versions; adds the checks `values_changed`
 * and `values_changed_by_value` of attributes with few different values, and `texts_changed` of the others. Columns
 * that were shifted against the ids, and values whose names were exchanged, keep every count and change nearly all
 * items. Numbers are compared in compare-kept-numbers.ts.
 */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import type { AttributeColumn } from '../version/sealed/attribute-column.js';
import { isDateText } from './attribute-tally.js';
import { chanceOfShare } from './chance.js';
import type { ComparedAttributes } from './compare-attributes.js';
import { groupKeys, type KeptPair } from './kept-rows.js';
import type { Report } from './report.js';

/** Fewer kept items say nothing. */
const MIN_ROWS = 50;
const ROWS_PER_STEP = 1_000;

interface Changed {
  readonly name: string;
  rows: number;
  changed: number;
}

export async function compareValues(
  version: LoadedVersion,
  live: LoadedVersion,
  { names, groups }: ComparedAttributes,
  kept: readonly KeptPair[],
  report: Report,
  turns: EventLoopYielder,
): Promise<void> {
  const overall: Changed[] = [];
  const byValue = new Map<string, Changed>();
  const texts: Changed[] = [];
  for (const name of names) {
    const [fresh, old] = [version.attributes!.column(name), live.attributes!.column(name)];
    const isGroup = groups.includes(name);
    if (isGroup && isTextual(fresh)) {
      overall.push(await countChanged(name, fresh, old, kept, turns));
      await countByValue(name, fresh, old, kept, byValue, turns);
    } else if (!isGroup && fresh.field.type.kind === 'utf8') {
      texts.push(await countChanged(name, fresh, old, kept, turns));
    }
  }
  judgeWorst('values_changed', overall, report);
  judgeWorst('values_changed_by_value', [...byValue.values()], report);
  judgeWorst('texts_changed', texts, report);
}

/** Texts, flags and lists of texts. */
function isTextual({ field: { type } }: AttributeColumn): boolean {
  return type.kind === 'utf8' || type.kind === 'bool' || (type.kind === 'list' && type.item.kind === 'utf8');
}

/** A date as text is left out: that of the last change moves every night. */
async function countChanged(
  name: string,
  fresh: AttributeColumn,
  old: AttributeColumn,
  kept: readonly KeptPair[],
  turns: EventLoopYielder,
): Promise<Changed> {
  const all: Changed = { name, rows: 0, changed: 0 };
  for (const [i, pair] of kept.entries()) {
    const before = old.value(pair.old);
    if (!isDateText(before)) count(all, JSON.stringify(fresh.value(pair.ordinal)) !== JSON.stringify(before));
    if (i % ROWS_PER_STEP === 0) await turns.yieldIfDue();
  }
  return all;
}

/** By the value before. A list has changed under an item if it lost it. */
async function countByValue(
  name: string,
  fresh: AttributeColumn,
  old: AttributeColumn,
  kept: readonly KeptPair[],
  byValue: Map<string, Changed>,
  turns: EventLoopYielder,
): Promise<void> {
  for (const [i, pair] of kept.entries()) {
    const now = groupKeys(name, fresh, pair.ordinal);
    for (const key of groupKeys(name, old, pair.old)) {
      const group = byValue.get(key) ?? { name: key, rows: 0, changed: 0 };
      byValue.set(key, group);
      count(group, !now.includes(key));
    }
    if (i % ROWS_PER_STEP === 0) await turns.yieldIfDue();
  }
}

function count(group: Changed, isChanged: boolean): void {
  group.rows++;
  if (isChanged) group.changed++;
}

function judgeWorst(
  check: 'values_changed' | 'values_changed_by_value' | 'texts_changed',
  groups: readonly Changed[],
  report: Report,
): void {
  const [worst] = groups
    .filter(({ rows }) => rows >= MIN_ROWS)
    .map(({ name, rows, changed }) => ({
      value: changed / rows,
      chance: chanceOfShare(changed / rows, rows),
      detail: name,
    })) // prettier-ignore
    .sort((a, b) => b.value - b.chance - (a.value - a.chance));
  if (worst !== undefined) report.add(check, worst);
}
