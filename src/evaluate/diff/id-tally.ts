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
  entered: number;
  left: number;
}

/** A number of the old version and of the new one. */
export interface Sides {
  from: number;
  to: number;
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
  private readonly byKey = new Map<number, IdRecord>();
  private changed = 0;
  private unexplained = 0;

  constructor(
    private readonly before: LoadedVersion,
    private readonly after: LoadedVersion,
  ) {}

  /** @param diff of these answers */
  add({ old, fresh }: AnswerPair, { entered, left }: RankDiff): void {
    this.count(old, 'from', 'to');
    this.count(fresh, 'to', 'from');
    for (const position of entered) this.byKey.get(fresh.keys[position]!)!.entered++;
    for (const position of left) this.byKey.get(old.keys[position]!)!.left++;
    const added = entered.filter((position) => fresh.elsewhere[position]! < 0).length;
    const removed = left.filter((position) => old.elsewhere[position]! < 0).length;
    this.changed += entered.length + left.length;
    this.unexplained += Math.max(0, entered.length - added - removed) + Math.max(0, left.length - removed - added);
  }

  private count({ keys, ordinals, elsewhere }: MatchedAnswer, own: keyof Sides, other: keyof Sides): void {
    for (const [position, key] of keys.entries()) {
      let record = this.byKey.get(key);
      if (record === undefined) {
        const places = { from: -1, to: -1, [own]: ordinals[position]!, [other]: elsewhere[position]! };
        const none = (): Sides => ({ from: 0, to: 0 });
        record = { ordinals: places, answers: none(), reciprocalRanks: none(), entered: 0, left: 0 };
        this.byKey.set(key, record);
      }
      record.answers[own]++;
      record.reciprocalRanks[own] += 1 / (position + 1);
    }
  }

  /** Every id that either version returned. */
  records(): Iterable<IdRecord> {
    return this.byKey.values();
  }

  idOf({ ordinals }: IdRecord): string {
    return ordinals.to < 0 ? this.before.ids.text(ordinals.from) : this.after.ids.text(ordinals.to);
  }

  changedPlaces(): ChangedPlaces {
    return { total: this.changed, by_catalogue: 1 - this.unexplained / Math.max(1, this.changed) };
  }

  change(kind: 'entered' | 'left'): Change {
    const records = [...this.byKey.values()].filter((record) => record[kind] > 0);
    const ids = records.map((record) => ({ id: this.idOf(record), queries: record[kind], cause: causeOf(record) }));
    const amount = (cause: Cause): Amount => {
      const own = ids.filter((each) => each.cause === cause);
      return { ids: own.length, places: own.reduce((sum, { queries }) => sum + queries, 0) };
    };
    ids.sort((a, b) => b.queries - a.queries || (a.id < b.id ? -1 : 1));
    const by = { catalogue: amount('catalogue'), ranking: amount('ranking') };
    const places = by.catalogue.places + by.ranking.places;
    return { total: ids.length, places, by, ids: ids.slice(0, LISTED_IDS) };
  }
}

function causeOf({ ordinals }: IdRecord): Cause {
  return ordinals.from < 0 || ordinals.to < 0 ? 'catalogue' : 'ranking';
}
