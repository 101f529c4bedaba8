/**
 * How often each id is returned by two versions, over all queries, and why ids came and went: by the catalogue (the
 * other version does not have the id) or by the ranking (both have it, one returns it).
 *
 * A new id pushes one candidate out, and a removed one makes room for one. Changes beyond that are not explained by the
 * catalogue: vectors, filtered attributes or the graph changed.
 */
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { AnswerPair, MatchedAnswer } from './answers.js';
import type { RankDiff } from './compare-ranks.js';
import { IdColumns, type Sides } from './id-columns.js';

/** Ids listed of each change: enough to see a pattern. */
const LISTED_IDS = 20;

/** The catalogue: only one version has the id. The ranking: both have it. */
export type Cause = 'catalogue' | 'ranking';

/** One id, over all queries. */
export interface IdRecord {
  /** Its ordinal in each version; -1 if that does not have it. */
  readonly ordinals: Sides;
  /** Number of answers that have it. */
  readonly answers: Sides;
  /** Sum of 1 / rank over these answers. */
  readonly reciprocalRanks: Sides;
  /** Number of queries whose answer it entered, and left. */
  readonly entered: number;
  readonly left: number;
}

interface Amount {
  readonly ids: number;
  /** Places in answers: an id that entered the answers of three queries took three places. */
  readonly places: number;
}

/** Ids that only one version returns for some query. Names are those of the JSON output. */
export interface Change {
  readonly total: number;
  readonly places: number;
  readonly by: Readonly<Record<Cause, Amount>>;
  /** Most frequent first: the first ids. */
  readonly ids: readonly { readonly id: string; readonly queries: number; readonly cause: Cause }[];
}

/** The places that changed, entered and left together, by what explains them. */
export interface ChangedPlaces {
  readonly total: number;
  /** Share of them that new and removed ids can explain, at most; 1 if nothing changed. */
  readonly by_catalogue: number;
}

export class IdTally {
  private readonly columns: IdColumns;
  private changed = 0;
  private unexplained = 0;

  constructor(
    private readonly before: LoadedVersion,
    private readonly after: LoadedVersion,
  ) {
    this.columns = new IdColumns(before.manifest.count + after.manifest.count);
  }

  /** @param diff of these answers */
  add({ old, fresh }: AnswerPair, { entered, left }: RankDiff): void {
    this.count(old, 'from', 'to');
    this.count(fresh, 'to', 'from');
    const { columns } = this;
    for (const position of entered) columns.changes.entered[columns.slotOf(fresh.keys[position]!)]!++;
    for (const position of left) columns.changes.left[columns.slotOf(old.keys[position]!)]!++;
    const added = entered.filter((position) => fresh.elsewhere[position]! < 0).length;
    const removed = left.filter((position) => old.elsewhere[position]! < 0).length;
    this.changed += entered.length + left.length;
    this.unexplained += Math.max(0, entered.length - added - removed) + Math.max(0, left.length - removed - added);
  }

  private count({ keys, ordinals, elsewhere }: MatchedAnswer, own: keyof Sides, other: keyof Sides): void {
    for (const [position, key] of keys.entries()) {
      const places: Sides = { from: 0, to: 0 };
      places[own] = ordinals[position]!;
      places[other] = elsewhere[position]!;
      const slot = this.columns.add(key, places.from, places.to);
      this.columns.answers[own][slot]!++;
      this.columns.reciprocalRanks[own][slot]! += 1 / (position + 1);
    }
  }

  /** Every id that either version returned. */
  *records(): Generator<IdRecord> {
    const { ordinals, answers, reciprocalRanks, changes, size } = this.columns;
    const at = ({ from, to }: Record<keyof Sides, ArrayLike<number>>, slot: number): Sides => ({ from: from[slot]!, to: to[slot]! }); // prettier-ignore
    for (let slot = 0; slot < size; slot++) {
      yield {
        ordinals: at(ordinals, slot),
        answers: at(answers, slot),
        reciprocalRanks: at(reciprocalRanks, slot),
        entered: changes.entered[slot]!,
        left: changes.left[slot]!,
      };
    }
  }

  idOf({ ordinals }: IdRecord): string {
    return ordinals.to < 0 ? this.before.ids.text(ordinals.from) : this.after.ids.text(ordinals.to);
  }

  changedPlaces(): ChangedPlaces {
    return { total: this.changed, by_catalogue: 1 - this.unexplained / Math.max(1, this.changed) };
  }

  change(kind: 'entered' | 'left'): Change {
    const by = { catalogue: { ids: 0, places: 0 }, ranking: { ids: 0, places: 0 } };
    const top = new TopRecords(LISTED_IDS, (a, b) => b[kind] - a[kind], this);
    for (const record of this.records()) {
      if (record[kind] === 0) continue;
      const amount = by[causeOf(record)];
      amount.ids++;
      amount.places += record[kind];
      top.add(record);
    }
    const ids = top.list().map((record) => ({ id: this.idOf(record), queries: record[kind], cause: causeOf(record) }));
    return {
      total: by.catalogue.ids + by.ranking.ids,
      places: by.catalogue.places + by.ranking.places,
      by,
      ids,
    };
  }
}

/** The first records in an order; those that are equal in it are sorted by their ids. */
export class TopRecords {
  private readonly kept: IdRecord[] = [];

  constructor(
    private readonly size: number,
    private readonly order: (a: IdRecord, b: IdRecord) => number,
    private readonly tally: Pick<IdTally, 'idOf'>,
  ) {}

  add(record: IdRecord): void {
    let place = this.kept.length;
    while (place > 0 && this.isBefore(record, this.kept[place - 1]!)) place--;
    if (place === this.size) return;
    this.kept.splice(place, 0, record);
    this.kept.splice(this.size);
  }

  list(): readonly IdRecord[] {
    return this.kept;
  }

  private isBefore(a: IdRecord, b: IdRecord): boolean {
    const order = this.order(a, b);
    return order < 0 || (order === 0 && this.tally.idOf(a) < this.tally.idOf(b));
  }
}

function causeOf({ ordinals }: IdRecord): Cause {
  return ordinals.from < 0 || ordinals.to < 0 ? 'catalogue' : 'ranking';
}
