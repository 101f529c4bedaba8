/**
 * What the servers' answers to one request say of the rows they found: the group of each row, its id if it came along,
 * its value of the crowding attribute. Rows are named by ordinals; a row found twice is kept once.
 */
import type { JsonValue } from '../../arrow/column-value.js';
import type { IdTable } from '../../base/id-table.js';
import type { SearchAnswer } from '../fleet/search-message.js';

/** One answer of a group. */
interface Source {
  readonly group: number;
  readonly ids: IdTable | null;
}

/** More rows than any answer has. A place in an answer and the answer's position make one number below 2^53. */
const MAX_ROWS = 2 ** 32;

/** Rows between two pauses: less than a millisecond. */
export const STEP_ROWS = 4_096;

export class FoundRows {
  private readonly sources: Source[] = [];
  private readonly places = new Map<number, number>();
  readonly values = new Map<number, JsonValue>();

  /** May pause: a batch finds a million rows. */
  *add(group: number, { ordinals, ids, values }: SearchAnswer): Generator<void, void, void> {
    const base = MAX_ROWS * this.sources.length;
    this.sources.push({ group, ids });
    for (let i = 0; i < ordinals.length; i++) {
      this.places.set(ordinals[i]!, base + i);
      if (values !== null) this.values.set(ordinals[i]!, values[i]!);
      if (i % STEP_ROWS === STEP_ROWS - 1) yield;
    }
  }

  groupOf(ordinal: number): number {
    return this.sources[this.sourceOf(this.places.get(ordinal)!)]!.group;
  }

  /** Where the ids of rows are. Every answer must have come with ids. May pause. */
  *placesOf(ordinals: Iterable<number>, count: number): Generator<void, IdPlaces, void> {
    const pieces = new Uint32Array(count);
    const rows = new Uint32Array(count);
    let at = 0;
    for (const ordinal of ordinals) {
      const place = this.places.get(ordinal)!;
      pieces[at] = this.sourceOf(place);
      rows[at++] = place % MAX_ROWS;
      if (at % STEP_ROWS === 0) yield;
    }
    return { tables: this.sources.map(({ ids }) => ids!), pieces, rows };
  }

  private sourceOf(place: number): number {
    return Math.floor(place / MAX_ROWS);
  }
}

/** For each id, its table and its place there. */
export interface IdPlaces {
  readonly tables: readonly IdTable[];
  readonly pieces: Uint32Array;
  readonly rows: Uint32Array;
}
