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
import { countRow, judgeWorst, type ChangedShare } from './changed-share.js';
import type { ComparedAttributes } from './compare-attributes.js';
import { groupKeys, type KeptPair } from './kept-rows.js';
import type { Report } from './report.js';

const ROWS_PER_STEP = 1_000;

export async function compareValues(
  version: LoadedVersion,
  live: LoadedVersion,
  { names, groups }: ComparedAttributes,
  kept: readonly KeptPair[],
  report: Report,
  turns: EventLoopYielder,
): Promise<void> {
  const overall: ChangedShare[] = [];
  const byValue = new Map<string, ChangedShare>();
  const texts: ChangedShare[] = [];
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
): Promise<ChangedShare> {
  const all: ChangedShare = { name, rows: 0, changed: 0 };
  for (const [i, pair] of kept.entries()) {
    const before = old.value(pair.old);
    if (!isDateText(before)) countRow(all, JSON.stringify(fresh.value(pair.ordinal)) !== JSON.stringify(before));
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
  byValue: Map<string, ChangedShare>,
  turns: EventLoopYielder,
): Promise<void> {
  for (const [i, pair] of kept.entries()) {
    const now = groupKeys(name, fresh, pair.ordinal);
    for (const key of groupKeys(name, old, pair.old)) {
      const group = byValue.get(key) ?? { name: key, rows: 0, changed: 0 };
      byValue.set(key, group);
      countRow(group, !now.includes(key));
    }
    if (i % ROWS_PER_STEP === 0) await turns.yieldIfDue();
  }
}
