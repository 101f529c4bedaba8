/**
 * Search answers as JSON text, written straight from typed arrays into bytes: at 100 candidates this takes a tenth of
 * the time of building objects for JSON.stringify. A large one is written in slices, and kept as the pieces that they
 * gave.
 */
import type { ShortlistError } from '../../base/errors.js';
import { MAX_ANSWER_BYTES } from '../../base/limits.js';
import type { LoadedVersion } from '../../retrieve/load/loaded-version.js';
import type { Answer } from '../../retrieve/search/answer.js';
import type { ByteCounter } from '../request/byte-account.js';
import { answerTooLarge, type Answers } from './answers.js';
import { extraWriters, seedWriter, writeCandidate, type ExtraWriter } from './candidate-text.js';
import { ChunkAllocator, mergeNeighbours } from './chunks.js';
import { explainText } from './explain-text.js';
import { describeFailedQuery } from '../../wire/problem.js';
import type { Include } from '../request/search-request.js';
import { TextBytes } from './text-bytes.js';
import type { TimeLimit } from '../request/time-limit.js';
import type { TimeSlicer } from '../request/time-slicer.js';

/** Bytes after which what was written is counted: a count for each candidate would cost as much as its score. */
const COUNTED_BYTES = 16 * 1024;

const COMMA = 0x2c;

/** Room for `took_ms` and what ends the head of an answer. */
const TOOK_MS_BYTES = 32;
const OBJECT_END = 0x7d;

/** So much is written without a pause: 2,000 candidates, in less than a millisecond. */
const FIRST_SLICE_BYTES = 128 * 1024;

/** And so much between two looks at the clock. */
const SLICE_BYTES = 48 * 1024;

/** One for all requests: a slice is written without a pause, and its result is a copy. */
const scratch = new TextBytes();

/** Answers of one request as JSON: it knows what to include, checked once. */
export class JsonAnswers implements Answers {
  private readonly extras: readonly ExtraWriter[];
  /**
   * Each result in pieces: of a batch with what is around it in the list of results, of a single one its object's
   * members with room around them for the others of its answer.
   */
  private readonly results: (readonly Buffer[])[] = [];
  /** Large ones that are being written. */
  private readonly unfinished: Promise<void>[] = [];
  /** The answer up to the value of `took_ms`. */
  private readonly head: string;
  private written = 0;
  private readonly allocate: ((bytes: number) => Buffer) | undefined;

  /**
   * @param single answered in `candidates` instead of `results`
   * @param slicer in which large answers are written, while there is time
   * @throws unknown_attribute
   */
  constructor(
    private readonly version: LoadedVersion,
    include: Include,
    private readonly single: boolean,
    private readonly memory: ByteCounter,
    private readonly slicer: TimeSlicer,
    private readonly limit: Pick<TimeLimit, 'check'> | null,
  ) {
    this.extras = extraWriters(version, include);
    const { index, version: name } = version.manifest;
    if (!single) {
      const chunks = new ChunkAllocator();
      this.allocate = (bytes) => chunks.allocate(bytes);
    }
    this.head = `{"index":${JSON.stringify(index)},"version":${JSON.stringify(name)},"took_ms":`;
  }

  add(position: number, answer: Answer): void {
    const extras = answer.seeds === undefined ? this.extras : [seedWriter(answer), ...this.extras];
    const before = this.single ? this.head.length + TOOK_MS_BYTES : 0;
    this.begin(position);
    scratch.ascii('"candidates":[');
    const next = this.write(answer, 0, extras, FIRST_SLICE_BYTES);
    if (next === answer.ordinals.length) {
      this.results[position] = [this.copyEnd(answer, before)];
      return;
    }
    const pieces = [scratch.copy(before, 0, this.allocate)];
    this.results[position] = pieces;
    const written = this.slicer.run(this.writeRest(answer, next, extras, pieces));
    written.catch(() => undefined); // finish tells it
    this.unfinished.push(written);
  }

  private *writeRest(
    answer: Answer,
    from: number,
    extras: readonly ExtraWriter[],
    pieces: Buffer[],
  ): Generator<void, void, void> {
    for (let next = from; next < answer.ordinals.length;) {
      yield;
      this.limit?.check();
      scratch.length = 0;
      next = this.write(answer, next, extras, SLICE_BYTES);
      pieces.push(next < answer.ordinals.length ? scratch.copy(0, 0, this.allocate) : this.copyEnd(answer, 0));
    }
  }

  /** Writes candidates from one on, until so many bytes are there. @returns the one that is next */
  private write({ ordinals, scores }: Answer, from: number, extras: readonly ExtraWriter[], bytes: number): number {
    const { ids } = this.version;
    let next = from;
    let counted = 0;
    while (next < ordinals.length && scratch.length < bytes) {
      const fetched = ids.fetch(ordinals, next);
      for (let i = 0; i < fetched && scratch.length < bytes; i++, next++) {
        if (next > 0) scratch.byte(COMMA);
        writeCandidate(ids, i, ordinals[next]!, scores[next]!, extras, scratch);
        if (scratch.length - counted > COUNTED_BYTES) {
          this.count(scratch.length - counted);
          counted = scratch.length;
        }
      }
    }
    this.count(scratch.length - counted);
    return next;
  }

  /** What is behind the candidates too. */
  private copyEnd({ quality, explain }: Answer, before: number): Buffer {
    const candidates = scratch.length;
    scratch.ascii(`],"quality":${JSON.stringify(quality)}`);
    if (explain !== undefined) scratch.utf8(`,"explain":${explainText(explain)}`);
    this.count(scratch.length - candidates);
    if (!this.single) scratch.byte(OBJECT_END);
    return scratch.copy(before, this.single ? 1 : 0, this.allocate);
  }

  /** What is in front of a result's members. */
  private begin(position: number): void {
    scratch.length = 0; // a writer before may have thrown
    if (!this.single) scratch.ascii(position === 0 ? '{' : ',{');
  }

  private count(bytes: number): void {
    this.written += bytes;
    if (this.written > MAX_ANSWER_BYTES) throw answerTooLarge();
    this.memory.grow(bytes);
  }

  fail(position: number, error: ShortlistError): void {
    this.begin(position);
    scratch.utf8(`"error":${JSON.stringify(describeFailedQuery(error))}`);
    if (!this.single) scratch.byte(OBJECT_END);
    this.results[position] = [scratch.copy(0, 0, this.allocate)];
  }

  has(position: number): boolean {
    return this.results[position] !== undefined;
  }

  finish(took: () => number): Buffer[] | Promise<Buffer[]> {
    if (this.unfinished.length > 0) return Promise.all(this.unfinished).then(() => this.join(took()));
    return this.join(took());
  }

  private join(tookMs: number): Buffer[] {
    const head = `${this.head}${tookMs}`;
    if (this.single) return this.joinSingle(`${head},`);
    return [Buffer.from(`${head},"results":[`), ...mergeNeighbours(this.results.flat()), Buffer.from(']}')];
  }

  /** In the room that was left, since large answers take longer to be copied than to be written. */
  private joinSingle(head: string): Buffer[] {
    const pieces = [...this.results[0]!];
    const last = pieces.at(-1)!;
    last[last.length - 1] = OBJECT_END;
    const start = this.head.length + TOOK_MS_BYTES - head.length;
    pieces[0]!.write(head, start, 'latin1');
    pieces[0] = pieces[0]!.subarray(start);
    return pieces;
  }
}
