/**
 * Search answers as an Arrow IPC stream: the table of retrieve/answer-table.ts, and in the schema's metadata what JSON answers
 * say beside the candidates. `quality` is a JSON list with one entry a query, null where it failed; `errors`, present where a
 * query failed, a JSON object of problems by the query's position.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { ArrowWriter } from '../arrow/writer.js';
import type { ShortlistError } from '../base/errors.js';
import { MAX_ANSWER_BYTES } from '../base/limits.js';
import { AnswerTable, extraColumns } from '../retrieve/answer-table.js';
import type { LoadedVersion } from '../retrieve/loaded-version.js';
import type { Answer, Quality } from '../retrieve/search.js';
import type { HeldBytes } from './admission.js';
import { answerTooLarge, type Answers } from './answers.js';
import { attributeNames } from './candidate-text.js';
import { problemHead } from './problem.js';
import type { Include } from './request/search-request.js';

export const ARROW_TYPE = 'application/vnd.apache.arrow.stream';

/** query, id and score of a candidate, as they are held and as they are sent. */
const CANDIDATE_BYTES = 24;

export class ArrowAnswers implements Answers {
  private readonly table: AnswerTable;
  private readonly answers: (Answer | undefined)[] = [];
  private readonly qualities: (Quality | null)[] = [];
  private readonly errors: Record<number, ReturnType<typeof problemHead>> = {};
  private held = 0;

  /** @throws unknown_attribute */
  constructor(
    version: LoadedVersion,
    include: Include,
    private readonly memory: HeldBytes,
  ) {
    const { attributes, vectors } = include;
    const names = attributes === null ? [] : attributeNames(version, attributes, '/include/attributes');
    const extras = extraColumns(version, names, vectors, (bytes) => this.grow(bytes));
    this.table = new AnswerTable(version, extras);
  }

  take(position: number, answer: Answer): void {
    this.grow(answer.ordinals.length * CANDIDATE_BYTES);
    this.answers[position] = answer;
    this.qualities[position] = answer.quality;
  }

  fail(position: number, error: ShortlistError): void {
    this.answers[position] = undefined;
    this.qualities[position] = null;
    this.errors[position] = problemHead(error.code, error.message);
  }

  has(position: number): boolean {
    return this.qualities[position] !== undefined;
  }

  /** Lets the event loop turn between record batches: a large answer takes some tens of milliseconds. */
  async finish(tookMs: number): Promise<Buffer> {
    const metadata = new Map([
      ...this.table.metadata,
      ['took_ms', String(tookMs)],
      ['quality', JSON.stringify(this.qualities)],
      ...(Object.keys(this.errors).length > 0 ? [['errors', JSON.stringify(this.errors)] as const] : []),
    ] as [string, string][]);
    const parts: Uint8Array[] = [];
    const writer = new ArrowWriter(
      'stream',
      { fields: this.table.fields, metadata },
      (bytes) => void parts.push(bytes),
    );
    let isFirst = true;
    for (const columns of this.table.batches(this.answers)) {
      if (!isFirst) await nextTurn();
      isFirst = false;
      await writer.write(columns);
    }
    await writer.close();
    return Buffer.concat(parts);
  }

  private grow(bytes: number): void {
    if (this.held + bytes > MAX_ANSWER_BYTES) throw answerTooLarge();
    this.memory.grow(bytes);
    this.held += bytes;
  }
}
