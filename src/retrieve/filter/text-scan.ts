/**
 * Scans texts for many tests at once, linear in their bytes: equality with any of many texts, ranges, and substrings.
 * Texts are read in place. Rows without a value may pass; callers mask them.
 */
import type { Column } from '../../arrow/column.js';
import type { AttributeColumn } from '../../version/sealed/attribute-column.js';
import { addBit, emptySets } from './bits.js';
import { chunksOf } from './column-blocks.js';
import type { Test } from './filter-plan.js';
import { NeedleReader, Needles, type NeedleGroup } from './needles.js';
import type { Rows } from './rows.js';
import { TextBounds, type TextRange } from './text-bounds.js';
import type { Texts } from './text-dictionary.js';
import { chooseProbes, markTexts, type Probe } from './text-probe.js';
import { TextSet } from './text-set.js';
import { throwUnsupported } from './value-index.js';
import type { Meter, Work } from '../../base/work.js';

/** Bytes of a text read at once; a longer one is read in pieces. */
const PIECE_BYTES = 64 * 1024;

/** Maximum texts of a probed window, which has at most PIECE_BYTES bytes. */
const WINDOW_ROWS = 4_096;

/** Probing stops after this many windows in which many texts were found. */
const MAX_DENSE_WINDOWS = 8;

export function* scanTexts(
  column: AttributeColumn,
  tests: readonly Test[],
  rows: Rows,
  meter: Meter,
): Work<Uint32Array[]> {
  const pass = yield* TextScan.prepare(tests, rows.count, meter);
  if (rows.list === null) {
    for (const { first, chunk } of chunksOf(column, 'strings')) yield* pass.readAll(chunk, first);
  } else {
    for (let position = 0; position < rows.count; position++) {
      const { texts, row } = textAt(column, rows.list[position]!);
      yield* pass.readRows(texts, row, row + 1, position);
    }
  }
  return pass.outs;
}

/** Scans all texts. @returns a set of positions for each test */
export function* scanTextRows(texts: Texts, tests: readonly Test[], meter: Meter): Work<Uint32Array[]> {
  const pass = yield* TextScan.prepare(tests, texts.rows, meter);
  yield* pass.readAll(texts, 0);
  return pass.outs;
}

export function textAt(column: AttributeColumn, position: number): { readonly texts: Texts; readonly row: number } {
  const { first, column: chunk } = column.chunks[column.chunkOf(position)]!;
  return { texts: chunk as Column & { readonly shape: 'strings' }, row: position - first };
}

/** One scan: its tests, prepared, and their results. */
class TextScan {
  private position = 0;
  private readonly reader: NeedleReader | null = null;

  private constructor(
    readonly outs: Uint32Array[],
    private readonly set: TextSet | null,
    private readonly bounds: TextBounds | null,
    needles: Needles | null,
    /** Distinct needles to probe for; empty if probing does not help. */
    private readonly probed: readonly Buffer[],
    /** For each kind of test, its positions among all tests. */
    private readonly places: { readonly sets: number[]; readonly ranges: number[]; readonly groups: number[] },
    private readonly meter: Meter,
  ) {
    if (needles === null) return;
    this.reader = new NeedleReader(needles, (group) => addBit(outs[places.groups[group]!]!, this.position));
  }

  static *prepare(tests: readonly Test[], count: number, meter: Meter): Work<TextScan> {
    const places = { sets: [] as number[], ranges: [] as number[], groups: [] as number[] };
    const lists: (readonly string[])[] = [];
    const ranges: TextRange[] = [];
    const groups: NeedleGroup[] = [];
    for (const [place, test] of tests.entries()) {
      if (test.kind === 'texts') places.sets[lists.push(test.values) - 1] = place;
      else if (test.kind === 'text_range') places.ranges[ranges.push(test) - 1] = place;
      else if (test.kind === 'substrings') places.groups[groups.push(test) - 1] = place;
      else throwUnsupported(test);
    }
    const set = lists.length === 0 ? null : yield* TextSet.build(lists, meter);
    const bounds = ranges.length === 0 ? null : yield* TextBounds.build(ranges, meter);
    const needles = groups.length === 0 ? null : yield* Needles.build(groups, meter);
    const distinct = new Set(groups.flatMap(({ texts }) => texts));
    const probed = set === null && bounds === null ? [...distinct].map((text) => Buffer.from(text)) : [];
    const outs = yield* emptySets(tests.length, count, meter);
    return new TextScan(outs, set, bounds, needles, probed, places, meter);
  }

  /** Reads the texts of a chunk; the first has this position. */
  *readAll(texts: Texts, firstPosition: number): Work<void> {
    const probes = this.probed.length === 0 ? null : chooseProbes(this.probed, texts);
    const from = probes === null ? 0 : yield* this.readProbed(texts, firstPosition, probes);
    yield* this.readRows(texts, from, texts.rows, firstPosition + from);
  }

  *readRows(texts: Texts, from: number, to: number, firstPosition: number): Work<void> {
    const { meter, reader } = this;
    const { offsets, bytes } = texts;
    for (let row = from; row < to; row++) {
      const start = offsets[row]!;
      const end = offsets[row + 1]!;
      this.position = firstPosition + row - from;
      let cost = 10;
      if (this.set !== null) cost += this.readSet(this.set, bytes, start, end);
      if (this.bounds !== null) cost += this.readBounds(this.bounds, bytes, start, end);
      if (reader !== null) {
        reader.begin();
        if (end - start > PIECE_BYTES) yield* this.readLong(reader, bytes, start, end);
        else {
          reader.read(bytes, start, end);
          cost += 2 * (end - start);
        }
      }
      if (meter.spend(cost)) yield;
    }
  }

  private readSet(set: TextSet, bytes: Uint8Array, start: number, end: number): number {
    const { outs, position } = this;
    const text = set.find(bytes, start, end);
    if (text < 0) return 20;
    let found = 0;
    set.eachTest(text, (list) => {
      addBit(outs[this.places.sets[list]!]!, position);
      found++;
    });
    return 2 * (end - start) + 10 * found;
  }

  private readBounds(bounds: TextBounds, bytes: Uint8Array, start: number, end: number): number {
    const ranges = bounds.rangesOf(bytes, start, end);
    for (const range of ranges) addBit(this.outs[this.places.ranges[range]!]!, this.position);
    return bounds.cost(end - start) + 3 * ranges.length;
  }

  private *readLong(reader: NeedleReader, bytes: Uint8Array, start: number, end: number): Work<void> {
    for (let from = start; from < end; from += PIECE_BYTES) {
      const to = Math.min(from + PIECE_BYTES, end);
      if (!reader.read(bytes, from, to)) return;
      if (this.meter.spend(2 * (to - from))) yield;
    }
  }

  /** Reads only the texts that probes find, window by window. @returns the first row that was not read */
  private *readProbed(texts: Texts, firstPosition: number, probes: readonly Probe[]): Work<number> {
    const { offsets, rows } = texts;
    const marks = new Uint8Array(WINDOW_ROWS);
    const [only] = probes;
    const isDecided = probes.length === 1 && only!.isWhole && this.outs.length === 1;
    let dense = 0;
    for (let from = 0, to = 0; from < rows; from = to) {
      if (dense > MAX_DENSE_WINDOWS) return from;
      to = windowEnd(offsets, from, rows);
      if (to === from) {
        yield* this.readRows(texts, from, ++to, firstPosition + from); // a text longer than a window
        continue;
      }
      marks.fill(0, 0, to - from);
      let marked = 0;
      for (const { part } of probes) {
        marked += markTexts(texts, from, to, part, marks);
        if (this.meter.spend((offsets[to]! - offsets[from]!) / 2 + 300 * marked)) yield;
      }
      if (marked > (to - from) / 4) dense++;
      for (let row = from; marked > 0 && row < to; row++) {
        if (marks[row - from] === 0) continue;
        if (isDecided) addBit(this.outs[0]!, firstPosition + row);
        else yield* this.readRows(texts, row, row + 1, firstPosition + row);
      }
    }
    return rows;
  }
}

/** The end of the window that begins with this row; `from` itself if that row is too long. */
function windowEnd(offsets: Uint32Array, from: number, rows: number): number {
  const maxTo = Math.min(from + WINDOW_ROWS, rows);
  const end = offsets[from]! + PIECE_BYTES;
  let to = from;
  while (to < maxTo && offsets[to + 1]! <= end) to++;
  return to;
}
