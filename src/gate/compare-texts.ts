/**
 * Texts that many rows have, of attributes with many different ones: titles that all became "null" or "Untitled". Takes
 * columns; adds the check `text_repeats`.
 */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { sampleDistinct } from '../base/random.js';
import type { AttributeColumn } from '../version/sealed/attribute-column.js';
import { chanceOfDifference } from './chance.js';
import type { Report } from './report.js';

const SAMPLE = 20_000;
const SEED = 42;
const ROWS_PER_STEP = 1_000;
/** Fewer texts say nothing. */
const MIN_TEXTS = 50;
/** Characters of a text that are shown. */
const SHOWN = 40;

interface ColumnPair {
  readonly name: string;
  readonly fresh: AttributeColumn;
  readonly live: AttributeColumn;
}

/** @param columns texts, many different ones in the live version */
export async function compareTextRepeats(
  columns: readonly ColumnPair[],
  report: Report,
  turns: EventLoopYielder,
): Promise<void> {
  const repeats: { value: number; live: number; chance: number; detail: string }[] = [];
  for (const { name, fresh, live } of columns) {
    const [now, old] = [await findMostFrequent(fresh, turns), await findMostFrequent(live, turns)];
    if (Math.min(now.rows, old.rows) < MIN_TEXTS) continue;
    const chance = chanceOfDifference(now.share, now.rows, old.share, old.rows);
    const detail = `${name} = ${JSON.stringify(now.text.slice(0, SHOWN))}`;
    repeats.push({ value: now.share, live: old.share, chance, detail });
  }
  const [worst] = repeats.sort((a, b) => b.value - b.live - b.chance - (a.value - a.live - a.chance));
  if (worst !== undefined) report.add('text_repeats', worst);
}

interface MostFrequent {
  readonly text: string;
  /** Share of the sampled rows with a text that have it. */
  readonly share: number;
  readonly rows: number;
}

async function findMostFrequent(column: AttributeColumn, turns: EventLoopYielder): Promise<MostFrequent> {
  const counts = new Map<string, number>();
  let rows = 0;
  for (const [i, ordinal] of sampleDistinct(column.count, SAMPLE, SEED).entries()) {
    const text = column.value(ordinal);
    if (i % ROWS_PER_STEP === 0) await turns.yieldIfDue();
    if (typeof text !== 'string' || text === '') continue;
    rows++;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  let [text, most] = ['', 0];
  for (const [each, count] of counts) if (count > most) [text, most] = [each, count];
  return { text, share: most / Math.max(1, rows), rows };
}
