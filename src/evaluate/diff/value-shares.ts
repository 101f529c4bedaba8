/**
 * Which share of all places in the answers each value of an attribute holds, in both versions. A list counts for each
 * of its items, so that its shares may add up to more than 1.
 */
import type { JsonValue } from '../../arrow/column-value.js';
import type { EventLoopYielder } from '../../base/event-loop-yielder.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import { round } from './distribution.js';
import type { Sides } from './id-columns.js';
import type { IdTally } from './id-tally.js';

/** Values listed of each attribute. */
const LISTED_VALUES = 50;

interface ValueShare extends Sides {
  /** Null: candidates without a value. */
  readonly value: string | null;
  readonly change: number;
}

/** Names are those of the JSON output. */
export interface AttributeShares {
  readonly attribute: string;
  /** Number of different values. */
  readonly total: number;
  /** The greatest changes first. */
  readonly values: readonly ValueShare[];
}

export async function measureValueShares(
  before: LoadedVersion,
  after: LoadedVersion,
  tally: IdTally,
  names: readonly string[],
  turns: EventLoopYielder,
): Promise<AttributeShares[]> {
  const shares: AttributeShares[] = [];
  for (const attribute of names) {
    const counts = new Map<string | null, Sides>();
    const places: Sides = { from: 0, to: 0 };
    const [old, fresh] = [valuesIn(before, attribute), valuesIn(after, attribute)];
    for (const { ordinals, answers } of tally.records()) {
      places.from += answers.from;
      places.to += answers.to;
      if (answers.from > 0) for (const value of old(ordinals.from)) countOf(counts, value).from += answers.from;
      if (answers.to > 0) for (const value of fresh(ordinals.to)) countOf(counts, value).to += answers.to;
      await turns.yieldIfDue();
    }
    const values = [...counts].map(([value, count]): ValueShare => {
      const [from, to] = [count.from / Math.max(1, places.from), count.to / Math.max(1, places.to)];
      return { value, from: round(from), to: round(to), change: round(to - from) };
    });
    values.sort((a, b) => Math.abs(b.change) - Math.abs(a.change) || b.from + b.to - a.from - a.to);
    shares.push({ attribute, total: values.length, values: values.slice(0, LISTED_VALUES) });
  }
  const changeOf = ({ values }: AttributeShares): number => Math.abs(values[0]?.change ?? 0);
  return shares.sort((a, b) => changeOf(b) - changeOf(a));
}

function countOf(counts: Map<string | null, Sides>, value: string | null): Sides {
  let count = counts.get(value);
  if (count === undefined) counts.set(value, (count = { from: 0, to: 0 }));
  return count;
}

type ReadValues = (ordinal: number) => (string | null)[];

function valuesIn({ attributes }: LoadedVersion, name: string): ReadValues {
  if (attributes?.names.includes(name) !== true) return () => [null];
  const column = attributes.column(name);
  return (ordinal) => textsOf(column.value(ordinal));
}

function textsOf(value: JsonValue): (string | null)[] {
  if (Array.isArray(value)) return [...new Set(value)].map(textOf);
  return [textOf(value)];
}

function textOf(value: JsonValue): string | null {
  if (value === null) return null;
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
