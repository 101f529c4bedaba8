/**
 * Search answers as an Arrow IPC stream: the table of retrieve/library/answer-table.ts, with the rest of the JSON
 * answer in the schema's metadata. `quality` is a JSON list with one entry per query, null if it failed. `errors`, if a
 * query failed, is a JSON object of problems by position. `explain`, if requested, is a list like `quality`. With seeds
 * there are the columns `seed` (int32) and `seed_score` (float32) before the included ones.
 */
import { ArrowWriter } from '../../arrow/write/writer.js';
import type { Column, ColumnType } from '../../arrow/column.js';
import type { ShortlistError } from '../../base/errors.js';
import { MAX_ANSWER_BYTES } from '../../base/limits.js';
import type { Budget } from '../../arrow/gather.js';
import type { IdTable } from '../../base/id-table.js';
import { AnswerTable, type ExtraColumn } from '../../retrieve/library/answer-table.js';
import type { Answer } from '../../retrieve/search/answer.js';
import type { Quality } from '../../wire/answers.js';
import type { Manifest } from '../../version/sealed/manifest.js';
import type { ByteCounter } from '../request/byte-account.js';
import { answerTooLarge, type Answers } from './answers.js';
import { explainText } from './explain-text.js';
import { describeFailedQuery } from '../../wire/problem.js';
import type { TimeLimit } from '../request/time-limit.js';
import type { TimeSlicer } from '../request/time-slicer.js';

export const ARROW_TYPE = 'application/vnd.apache.arrow.stream';

/** Query, id and score of a candidate in memory and on the wire. */
const CANDIDATE_BYTES = 24;

/** Size of a record batch without attributes; building it takes about a millisecond. */
const BATCH_BYTES = 1024 * 1024;

export class ArrowAnswers implements Answers {
  private readonly table: AnswerTable;
  private readonly batchRows: number;
  private readonly answers: (Answer | undefined)[] = [];
  private readonly qualities: (Quality | null)[] = [];
  /** As JSON; null for a failed query. */
  private readonly explains: string[] = [];
  private readonly errors: Record<number, ReturnType<typeof describeFailedQuery>> = {};
  private countedBytes = 0;

  /**
   * @param extras the columns besides query, id and score; they count the bytes of their arrays
   * @param withSeeds the search has seeds, and so one answer
   * @throws as extras
   */
  constructor(
    source: { readonly manifest: Manifest; readonly ids: IdTable },
    extras: (budget: Budget) => readonly ExtraColumn[],
    withSeeds: boolean,
    private readonly memory: ByteCounter,
    private readonly slicer: TimeSlicer,
    private readonly limit: Pick<TimeLimit, 'check'> | null,
  ) {
    const seeds = withSeeds ? this.seedColumns() : [];
    const columns = extras((bytes) => this.grow(bytes));
    const rowBytes = columns.reduce((sum, { field }) => sum + listBytes(field.type), CANDIDATE_BYTES);
    this.batchRows = Math.ceil(BATCH_BYTES / rowBytes);
    this.table = new AnswerTable(source, [...seeds, ...columns]);
  }

  add(position: number, answer: Answer): void {
    this.grow(answer.ordinals.length * CANDIDATE_BYTES);
    this.answers[position] = answer;
    this.qualities[position] = answer.quality;
    if (answer.explain !== undefined) this.explains[position] = explainText(answer.explain);
  }

  fail(position: number, error: ShortlistError): void {
    this.answers[position] = undefined;
    this.qualities[position] = null;
    this.errors[position] = describeFailedQuery(error);
  }

  has(position: number): boolean {
    return this.qualities[position] !== undefined;
  }

  /** Lets the event loop run between record batches: a large answer takes some tens of milliseconds. */
  async finish(took: () => number): Promise<Buffer[]> {
    const metadata = new Map([
      ...this.table.metadata,
      ['took_ms', String(took())],
      ['quality', JSON.stringify(this.qualities)],
      ...(this.explains.length > 0
        ? [['explain', `[${Array.from(this.answers, (_, i) => this.explains[i] ?? 'null').join()}]`] as const]
        : []),
      ...(Object.keys(this.errors).length > 0 ? [['errors', JSON.stringify(this.errors)] as const] : []),
    ] as [string, string][]);
    const parts: Buffer[] = [];
    let written = 0;
    const addPart = (bytes: Uint8Array) => {
      written += bytes.length;
      if (written > this.countedBytes) this.grow(written - this.countedBytes); // ids were longer than estimated
      parts.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    };
    const writer = new ArrowWriter('stream', { fields: this.table.fields, metadata }, addPart);
    let isFirst = true;
    for (const columns of this.table.batches(this.answers, this.batchRows)) {
      if (!isFirst) await this.slicer.waitForTurn();
      this.limit?.check();
      isFirst = false;
      await writer.write(columns);
    }
    await writer.close();
    return parts;
  }

  private seedColumns(): ExtraColumn[] {
    return [
      numberColumn('seed', INT32, (from, to) => Int32Array.from(this.answers[0]!.seeds!.slice(from, to))),
      numberColumn('seed_score', FLOAT32, (from, to) => this.answers[0]!.seedScores!.slice(from, to)),
    ];
  }

  private grow(bytes: number): void {
    if (this.countedBytes + bytes > MAX_ANSWER_BYTES) throw answerTooLarge();
    this.memory.grow(bytes);
    this.countedBytes += bytes;
  }
}

/** Bytes of the vector of a candidate: attributes are not counted. */
function listBytes(type: ColumnType): number {
  return type.kind === 'list' ? 4 * (type.size ?? 0) : 0;
}

const INT32: ColumnType = { kind: 'int', bits: 32, signed: true };
const FLOAT32: ColumnType = { kind: 'float', bits: 32 };

/** @param values of the candidates in a range of positions */
function numberColumn(
  name: string,
  type: ColumnType,
  values: (from: number, to: number) => Int32Array | Float32Array,
): ExtraColumn {
  const gather = ({ length }: Uint32Array, first: number): Column => ({
    shape: 'numbers',
    type,
    rows: length,
    valid: null,
    values: values(first, first + length),
  });
  return { field: { name, type, nullable: false }, gather };
}
