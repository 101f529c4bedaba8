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

export class FoundRows {
  private readonly sources: Source[] = [];
  private readonly places = new Map<number, number>();
  readonly values = new Map<number, JsonValue>();

  add(group: number, { ordinals, ids, values }: SearchAnswer): void {
    const base = MAX_ROWS * this.sources.length;
    this.sources.push({ group, ids });
    for (let i = 0; i < ordinals.length; i++) this.places.set(ordinals[i]!, base + i);
    if (values !== null) for (let i = 0; i < ordinals.length; i++) this.values.set(ordinals[i]!, values[i]!);
  }

  groupOf(ordinal: number): number {
    return this.sources[this.sourceOf(this.places.get(ordinal)!)]!.group;
  }

  /** Where the ids of rows are. Every answer must have come with ids. */
  placesOf(ordinals: Iterable<number>, count: number): IdPlaces {
    const pieces = new Uint32Array(count);
    const rows = new Uint32Array(count);
    let at = 0;
    for (const ordinal of ordinals) {
      const place = this.places.get(ordinal)!;
      pieces[at] = this.sourceOf(place);
      rows[at++] = place % MAX_ROWS;
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
