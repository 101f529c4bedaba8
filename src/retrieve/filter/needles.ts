/**
 * Searches for many substrings at once, in time linear in the text: an Aho-Corasick automaton over UTF-8 bytes.
 *
 * Takes groups of needles. A group is complete in a text that contains all of its needles, or any. Each byte is read
 * once. Bytes that occur in no needle form one class. If states times classes are few, the next state comes from a
 * table. Otherwise edges are found by hash, and failures fall back, at most twice per byte on average.
 *
 * A. V. Aho, M. J. Corasick: Efficient string matching (1975).
 */
import type { Meter, Work } from '../../base/work.js';

export interface NeedleGroup {
  /** None is empty. */
  readonly texts: readonly string[];
  /** True if a text must contain all of them; otherwise any. */
  readonly all: boolean;
}

/** Maximum entries of the table of next states: 8 MiB. More takes long needles that nobody writes by hand. */
const MAX_TABLE = 2 ** 21;

const ROOT = 0;

/** Edges of a trie by state and class, in open addressing. */
class Edges {
  private readonly keys: Int32Array;
  private readonly targets: Int32Array;

  constructor(maxEdges: number) {
    let slots = 64;
    while (slots < 2 * maxEdges) slots *= 2;
    this.keys = new Int32Array(slots).fill(-1);
    this.targets = new Int32Array(slots);
  }

  /** Returns -1 if there is none. */
  get(key: number): number {
    const slot = this.slotOf(key);
    return this.keys[slot] === key ? this.targets[slot]! : -1;
  }

  set(key: number, target: number): void {
    const slot = this.slotOf(key);
    this.keys[slot] = key;
    this.targets[slot] = target;
  }

  private slotOf(key: number): number {
    const mask = this.keys.length - 1;
    let slot = (Math.imul(key, 0x9e3779b1) >>> 7) & mask;
    while (this.keys[slot] !== key && this.keys[slot] !== -1) slot = (slot + 1) & mask;
    return slot;
  }
}

/** The automaton; texts are read by a `NeedleReader`. */
export class Needles {
  /** Class of each byte: 0 for those in no needle. */
  readonly classOf: Uint8Array;
  readonly classes: number;
  /** The next state for each state and class; null if the table would be too large. */
  table: Int32Array | null = null;
  readonly edges: Edges;
  /** The state of the longest other suffix. */
  readonly fail: Int32Array;
  /** 1 if a needle ends here, also as a suffix. */
  readonly isFinal: Uint8Array;
  /** The nearest state in the suffix chain, including itself, where a needle ends; -1 for none. */
  readonly suffixFinal: Int32Array;
  /** The groups whose needle ends in a state: a place in the two lists below, which form a linked list; -1 for none. */
  readonly firstOwner: Int32Array;
  readonly owner: number[] = [];
  readonly nextOwner: number[] = [];
  /** Number of needles that each group needs. */
  readonly wanted: Int32Array;
  states = 1;

  private constructor(groups: number, needles: readonly Buffer[]) {
    const maxStates = needles.reduce((sum, needle) => sum + needle.length, 1);
    this.classOf = new Uint8Array(256);
    // If all 256 bytes occur, no byte is in the class of unused bytes: classes begin at 0.
    const isSeen = new Uint8Array(256);
    for (const needle of needles) for (const byte of needle) isSeen[byte] = 1;
    let classes = isSeen.includes(0) ? 1 : 0;
    isSeen.fill(0);
    for (const needle of needles) {
      for (const byte of needle) {
        if (isSeen[byte] === 1) continue;
        isSeen[byte] = 1;
        this.classOf[byte] = classes++;
      }
    }
    this.classes = classes;
    this.edges = new Edges(maxStates);
    this.fail = new Int32Array(maxStates);
    this.isFinal = new Uint8Array(maxStates);
    this.suffixFinal = new Int32Array(maxStates).fill(-1);
    this.firstOwner = new Int32Array(maxStates).fill(-1);
    this.wanted = new Int32Array(groups);
  }

  static *build(groups: readonly NeedleGroup[], meter: Meter): Work<Needles> {
    const encoded = groups.map(({ texts }) => [...new Set(texts)].map((text) => Buffer.from(text)));
    const built = new Needles(groups.length, encoded.flat());
    for (const [group, needles] of encoded.entries()) {
      built.wanted[group] = groups[group]!.all ? needles.length : 1;
      for (const needle of needles) {
        built.addNeedle(needle, group);
        if (meter.spend(30 * needle.length)) yield;
      }
    }
    yield* built.link(meter);
    return built;
  }

  private addNeedle(needle: Buffer, group: number): void {
    let state = ROOT;
    for (const byte of needle) {
      const key = state * this.classes + this.classOf[byte]!;
      let next = this.edges.get(key);
      if (next < 0) {
        next = this.states++;
        this.edges.set(key, next);
        this.parents.push(key);
      }
      state = next;
    }
    this.nextOwner.push(this.firstOwner[state]!);
    this.firstOwner[state] = this.owner.push(group) - 1;
  }

  /** For each state except the root: its parent and the class that leads to it, as a key of `edges`. */
  private readonly parents: number[] = [-1];

  /** Sets the fallback of each state, parents before children. */
  private *link(meter: Meter): Work<void> {
    const { classes } = this;
    if (this.states * classes <= MAX_TABLE) this.table = new Int32Array(this.states * classes);
    const order = yield* this.byDepth(meter);
    for (const state of order) {
      this.linkState(state);
      if (this.table !== null) this.fillRow(this.table, state);
      if (meter.spend(60 + (this.table === null ? 0 : 2 * classes))) yield;
    }
  }

  private *byDepth(meter: Meter): Work<Uint32Array> {
    const depth = new Uint32Array(this.states);
    const counts: number[] = [1];
    for (let state = 1; state < this.states; state++) {
      // Parents have lower numbers than their children.
      const own = depth[Math.floor(this.parents[state]! / this.classes)]! + 1;
      depth[state] = own;
      counts[own] = (counts[own] ?? 0) + 1;
      if (meter.spend(10)) yield;
    }
    const starts = new Uint32Array(counts.length + 1);
    counts.forEach((count, i) => (starts[i + 1] = starts[i]! + count));
    const order = new Uint32Array(this.states);
    for (let state = 0; state < this.states; state++) order[starts[depth[state]!]!++] = state;
    return order;
  }

  private linkState(state: number): void {
    if (state !== ROOT) {
      const parent = Math.floor(this.parents[state]! / this.classes);
      const byClass = this.parents[state]! % this.classes;
      this.fail[state] = parent === ROOT ? ROOT : this.next(this.fail[parent]!, byClass);
    }
    const own = this.firstOwner[state]! >= 0;
    this.suffixFinal[state] = own ? state : state === ROOT ? -1 : this.suffixFinal[this.fail[state]!]!;
    this.isFinal[state] = this.suffixFinal[state] >= 0 ? 1 : 0;
  }

  /** Copies the fallback's row and adds the state's own edges. */
  private fillRow(table: Int32Array, state: number): void {
    const { classes } = this;
    const row = state * classes;
    const fallback = this.fail[state]! * classes;
    if (state !== ROOT) table.copyWithin(row, fallback, fallback + classes);
    for (let c = 0; c < classes; c++) {
      const child = this.edges.get(row + c);
      if (child >= 0) table[row + c] = child;
    }
  }

  /** The state after one more byte of this class. */
  next(state: number, byClass: number): number {
    for (;;) {
      const child = this.edges.get(state * this.classes + byClass);
      if (child >= 0) return child;
      if (state === ROOT) return ROOT;
      state = this.fail[state]!;
    }
  }
}

/** Reads texts one after the other, each in any number of pieces, and reports complete groups. */
export class NeedleReader {
  private state = ROOT;
  private text = 0;
  private undecided = 0;
  /** The last text in which each state was visited, and in which each group was begun. */
  private readonly visited: Uint32Array;
  private readonly begun: Uint32Array;
  private readonly left: Int32Array;

  /** @param complete called once for each group that is complete in the current text */
  constructor(
    private readonly needles: Needles,
    private readonly complete: (group: number) => void,
  ) {
    this.visited = new Uint32Array(needles.states);
    this.begun = new Uint32Array(needles.wanted.length);
    this.left = new Int32Array(needles.wanted.length);
  }

  begin(): void {
    this.text++;
    this.state = ROOT;
    this.undecided = this.left.length;
  }

  /** Reads bytes. @returns false if more bytes cannot complete another group */
  read(bytes: Uint8Array, from: number, to: number): boolean {
    const { table, classOf, classes, isFinal } = this.needles;
    let { state } = this;
    for (let i = from; i < to; i++) {
      const byClass = classOf[bytes[i]!]!;
      state = table === null ? this.needles.next(state, byClass) : table[state * classes + byClass]!;
      if (isFinal[state] === 1 && !this.completeGroups(state)) return false;
    }
    this.state = state;
    return true;
  }

  /**
   * Counts the needles that end here. A state that was visited in this text has counted all its suffixes, so a text
   * costs no more than its bytes and the needles.
   */
  private completeGroups(state: number): boolean {
    const { suffixFinal, fail, firstOwner, nextOwner, owner } = this.needles;
    for (let at = suffixFinal[state]!; at >= 0 && this.visited[at] !== this.text; at = suffixFinal[fail[at]!]!) {
      this.visited[at] = this.text;
      for (let own = firstOwner[at]!; own >= 0; own = nextOwner[own]!) this.countNeedle(owner[own]!);
    }
    return this.undecided > 0;
  }

  private countNeedle(group: number): void {
    if (this.begun[group] !== this.text) {
      this.begun[group] = this.text;
      this.left[group] = this.needles.wanted[group]!;
    }
    if (--this.left[group]! !== 0) return;
    this.undecided--;
    this.complete(group);
  }
}
