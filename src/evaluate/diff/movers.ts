/** The ids that are returned for many more, or many fewer, queries than before, with their attributes. */
import type { JsonValue } from '../../arrow/column-value.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { Sides } from './id-columns.js';
import { TopRecords, type IdRecord, type IdTally } from './id-tally.js';
import { round } from './distribution.js';

const LISTED = 20;

/** Names are those of the JSON output. */
export interface Mover {
  readonly id: string;
  /** `new`: only the second version has the id; `gone`: only the first. */
  readonly state: 'kept' | 'new' | 'gone';
  /** Number of queries whose answer has it. */
  readonly queries: Sides;
  readonly change: number;
  /** Sum of 1 / rank over these answers. */
  readonly reciprocal_rank: Sides;
  /** Of the second version, or of the first for an id that is gone. */
  readonly attributes: Readonly<Record<string, JsonValue>>;
}

export interface Movers {
  readonly winners: readonly Mover[];
  readonly losers: readonly Mover[];
}

/** @param include names of attributes; one that a version does not have is left out */
export function findMovers(
  before: LoadedVersion,
  after: LoadedVersion,
  tally: IdTally,
  include: readonly string[],
): Movers {
  const describe = (record: IdRecord): Mover => {
    const { answers, reciprocalRanks, ordinals } = record;
    const isGone = ordinals.to < 0;
    return {
      id: tally.idOf(record),
      state: isGone ? 'gone' : ordinals.from < 0 ? 'new' : 'kept',
      queries: answers,
      change: changeOf(record),
      reciprocal_rank: { from: round(reciprocalRanks.from), to: round(reciprocalRanks.to) },
      attributes: isGone ? attributesOf(before, ordinals.from, include) : attributesOf(after, ordinals.to, include),
    };
  };
  const most = (sign: 1 | -1): Mover[] => {
    const order = (a: IdRecord, b: IdRecord): number => sign * (changeOf(b) - changeOf(a) || rankChangeOf(b) - rankChangeOf(a)); // prettier-ignore
    const top = new TopRecords(LISTED, order, tally);
    for (const record of tally.records()) if (sign * changeOf(record) > 0) top.add(record);
    return top.list().map(describe);
  };
  return { winners: most(1), losers: most(-1) };
}

function changeOf({ answers }: IdRecord): number {
  return answers.to - answers.from;
}

function rankChangeOf({ reciprocalRanks }: IdRecord): number {
  return reciprocalRanks.to - reciprocalRanks.from;
}

function attributesOf(
  { attributes }: LoadedVersion,
  ordinal: number,
  include: readonly string[],
): Record<string, JsonValue> {
  if (attributes === null) return {};
  const known = include.filter((name) => attributes.names.includes(name));
  return Object.fromEntries(known.map((name) => [name, attributes.value(name, ordinal)]));
}
