/**
 * Whether items kept their values: of ids in both versions, the share whose category is another one. Other attributes
 * are left out, since prices, counters, times and links may change every night. Columns that were shifted against the
 * ids, and values whose names were exchanged, keep every count and change nearly all items.
 */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { sampleDistinct } from '../base/random.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import type { AttributeColumn } from '../version/sealed/attribute-column.js';
import type { Report } from './report.js';

const SAMPLE = 20_000;
const SEED = 42;
/** Fewer kept items say nothing. */
const MIN_ROWS = 50;
const ROWS_PER_STEP = 1_000;

interface Changed {
  readonly name: string;
  rows: number;
  changed: number;
}

/** @param groups attributes with few different values */
export async function compareValues(
  version: LoadedVersion,
  live: LoadedVersion,
  groups: readonly string[],
  report: Report,
  turns: EventLoopYielder,
): Promise<void> {
  const ordinals = sampleDistinct(version.manifest.count, SAMPLE, SEED);
  const olds = live.ids.match(version.ids, ordinals);
  const overall: Changed[] = [];
  const byValue = new Map<string, Changed>();
  for (const { name, fresh, old } of comparable(version, live, groups)) {
    const own: Changed = { name, rows: 0, changed: 0 };
    overall.push(own);
    for (const [position, ordinal] of ordinals.entries()) {
      if (olds[position]! < 0) continue;
      const before = JSON.stringify(old.value(olds[position]!));
      const isChanged = JSON.stringify(fresh.value(ordinal)) !== before;
      count(own, isChanged);
      const key = `${name} = ${before}`;
      const group = byValue.get(key) ?? { name: key, rows: 0, changed: 0 };
      byValue.set(key, group);
      count(group, isChanged);
      if (position % ROWS_PER_STEP === 0) await turns.yieldIfDue();
    }
  }
  judgeWorst('values_changed', overall, report);
  judgeWorst('values_changed_by_value', [...byValue.values()], report);
}

/** Texts, flags and lists of texts that both versions have. */
function comparable(version: LoadedVersion, live: LoadedVersion, groups: readonly string[]) {
  const pairs: { name: string; fresh: AttributeColumn; old: AttributeColumn }[] = [];
  for (const { name, type } of version.attributes?.fields ?? []) {
    const isText = type.kind === 'utf8' || type.kind === 'bool' || (type.kind === 'list' && type.item.kind === 'utf8');
    if (!isText || !groups.includes(name) || live.attributes?.names.includes(name) !== true) continue;
    const old = live.attributes.column(name);
    if (old.field.type.kind === type.kind) pairs.push({ name, fresh: version.attributes!.column(name), old });
  }
  return pairs;
}

function count(group: Changed, isChanged: boolean): void {
  group.rows++;
  if (isChanged) group.changed++;
}

function judgeWorst(check: 'values_changed' | 'values_changed_by_value', groups: Changed[], report: Report): void {
  const share = ({ rows, changed }: Changed): number => changed / rows;
  const [worst] = groups.filter(({ rows }) => rows >= MIN_ROWS).sort((a, b) => share(b) - share(a));
  if (worst !== undefined) report.add(check, { value: share(worst), detail: worst.name });
}
