/**
 * Search answers as JSON text, written from typed arrays directly to bytes: at 100 candidates, a tenth of the time of
 * JSON.stringify. A large answer is written in slices, which stay separate pieces.
 */
import type { ShortlistError } from '../../base/errors.js';
import { MAX_ANSWER_BYTES } from '../../base/limits.js';
import type { Answer } from '../../retrieve/search/answer.js';
import type { IdTable } from '../../base/id-table.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import type { ByteCounter } from '../request/byte-account.js';
import { answerTooLarge, type Answers } from './answers.js';
import { seedWriter, writeCandidate, type ExtraWriter } from './candidate-text.js';
import { ChunkAllocator, mergeNeighbours } from './chunks.js';
import { explainText } from './explain-text.js';
import { describeFailedQuery } from '../../wire/problem.js';
import { TextBytes } from './text-bytes.js';
import type { TimeLimit } from '../request/time-limit.js';
import type { TimeSlicer } from '../request/time-slicer.js';

/** Bytes between two updates of the memory count: counting every candidate would cost as much as writing its score. */
const COUNTED_BYTES = 16 * 1024;

const COMMA = 0x2c;

/** Space for `took_ms` and the end of the head. */
const TOOK_MS_BYTES = 32;
const OBJECT_END = 0x7d;

/** Written without a pause: 2,000 candidates, in less than a millisecond. */
const FIRST_SLICE_BYTES = 128 * 1024;

/** Written between two checks of the clock. */
const SLICE_BYTES = 48 * 1024;

/** Shared by all requests: a slice is written without a pause, and its result is copied. */
const scratch = new TextBytes();

/** The answers of one request as JSON. */
export class JsonAnswers implements Answers {
  /**
   * The pieces of each result. In a batch they include the braces and commas around it; a single result has space
   * around it for the rest of the answer.
   */
  private readonly results: (readonly Buffer[])[] = [];
  /** Large answers that are still being written. */
  private readonly unfinished: Promise<void>[] = [];
  /** The answer up to the value of `took_ms`. */
  private readonly head: string;
  private written = 0;
  private readonly allocate: ((bytes: number) => Buffer) | undefined;

  /**
   * @param extras write what candidates have besides id and score
   * @param single answer in `candidates` instead of `results`
   */
  constructor(
    private readonly source: { readonly manifest: Manifest; readonly ids: IdTable },
    private readonly extras: readonly ExtraWriter[],
    private readonly single: boolean,
    private readonly memory: ByteCounter,
    private readonly slicer: TimeSlicer,
    private readonly limit: Pick<TimeLimit, 'check'> | null,
  ) {
    const { index, version: name } = source.manifest;
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
    written.catch(() => undefined); // `finish` reports it
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

  /** Writes candidates from a position until there are so many bytes. @returns the position of the next one */
  private write({ ordinals, scores }: Answer, from: number, extras: readonly ExtraWriter[], bytes: number): number {
    const { ids } = this.source;
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

  /** Copies the last candidates and what follows them. */
  private copyEnd({ quality, explain }: Answer, before: number): Buffer {
    const candidates = scratch.length;
    scratch.ascii(`],"quality":${JSON.stringify(quality)}`);
    if (explain !== undefined) scratch.utf8(`,"explain":${explainText(explain)}`);
    this.count(scratch.length - candidates);
    if (!this.single) scratch.byte(OBJECT_END);
    return scratch.copy(before, this.single ? 1 : 0, this.allocate);
  }

  /** Writes what precedes a result's members. */
  private begin(position: number): void {
    scratch.length = 0; // an earlier writer may have thrown
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

  /** Writes the head into the reserved space: copying a large answer takes longer than writing it. */
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
