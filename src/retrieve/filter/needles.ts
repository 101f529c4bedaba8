/**
 * Many substrings looked for at once, linear in the text whatever they are: an Aho-Corasick automaton over UTF-8 bytes.
 *
 * Takes groups of needles; a group is complete in a text that holds all of its needles, or any of them. The automaton
 * reads each byte once. Bytes that occur in no needle are one class; where states times classes are few, the next
 * state is one look into a table, else edges are looked up by hash and failing ones fall back, twice a byte at most
 * on average.
 *
 * A. V. Aho, M. J. Corasick: Efficient string matching (1975).
 */
import type { Meter, Work } from '../../base/work.js';

/** Needles that belong together. */
export interface NeedleGroup {
  /** None is empty. */
  readonly texts: readonly string[];
  /** Whether a text must hold all of them, or any. */
  readonly all: boolean;
}

/** Entries of the table of next states at most: 8 MiB. Needles beyond are long ones that nobody writes by hand. */
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

  /** -1 where there is none. */
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
  /** Next state of each state and class; null where that would be too large. */
  table: Int32Array | null = null;
  readonly edges: Edges;
  /** The state of the longest other suffix. */
  readonly fail: Int32Array;
  /** 1 where a needle ends, also as a suffix. */
  readonly isFinal: Uint8Array;
  /** The nearest state in the chain of suffixes, from the state itself, in which a needle ends; -1 for none. */
  readonly suffixFinal: Int32Array;
  /** The needle that ends in a state, as a place in the two lists below, which chain its groups; -1 for none. */
  readonly firstOwner: Int32Array;
  readonly owner: number[] = [];
  readonly nextOwner: number[] = [];
  /** Needles that each group still wants at the beginning of a text. */
  readonly wanted: Int32Array;
  states = 1;

  private constructor(groups: number, needles: readonly Buffer[]) {
    const maxStates = needles.reduce((sum, needle) => sum + needle.length, 1);
    this.classOf = new Uint8Array(256);
    // Where all 256 bytes occur, the class of none has no byte: classes begin at 0 then.
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

  /** For each state but the root: its parent's state and the class that leads to it, as a key of `edges`. */
  private readonly parents: number[] = [-1];

  /** Sets what a state falls back to, from the root outwards: parents before their children. */
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
      // Children are made after their parents.
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

  /** As where it falls back to, but for its own edges. */
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

/** Reads one text after the other, each in as many pieces as the caller likes, and says which groups are complete. */
export class NeedleReader {
  private state = ROOT;
  /** Of the text that is read. */
  private text = 0;
  private undecided = 0;
  /** The last text in which a state was visited, and in which a group was begun. */
  private readonly visited: Uint32Array;
  private readonly begun: Uint32Array;
  private readonly left: Int32Array;

  /** @param complete called once for each group that is complete in the text that is read */
  constructor(
    private readonly needles: Needles,
    private readonly complete: (group: number) => void,
  ) {
    this.visited = new Uint32Array(needles.states);
    this.begun = new Uint32Array(needles.wanted.length);
    this.left = new Int32Array(needles.wanted.length);
  }

  /** A new text begins. */
  begin(): void {
    this.text++;
    this.state = ROOT;
    this.undecided = this.left.length;
  }

  /** Reads on. @returns false where no group is left that more bytes could complete */
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
   * The needles that end here. A state that was visited in this text has told all of its suffixes then, so that a
   * text costs no more than its bytes and the needles.
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
