/**
 * What passes over the rows of an input have in common (read-rows.ts, read-part.ts): opening one file after the other,
 * the tools that check a row, and the account of bad rows. Chunks are read ahead: one is read while the one before it
 * is checked.
 */
import { readAhead } from '../base/read-ahead.js';
import type { Chunk } from '../arrow/read/table-reader.js';
import { IdTableBuilder } from '../base/id-table-builder.js';
import type { Metric } from '../base/metric.js';
import { filesOfIds } from './attached-ids.js';
import { BadRowTally, toRejectLine, type BadRow, type BadRowKind } from './bad-rows.js';
import { locateColumns, type FileColumns } from './file-columns.js';
import { IdRows } from './id-rows.js';
import type { InspectedFile } from './inspect-file.js';
import { assertUnchanged, openPlanned, type IngestPlan } from './plan.js';
import { VectorRows } from './vector-rows.js';

export interface PassOptions {
  /** Under cosine, vectors are scaled to unit length. */
  readonly metric: Metric;
  /** Receives bad rows: JSON Lines of {file, row, id, kind, detail}, in input order. */
  readonly onRejects?: ((lines: string) => void | Promise<void>) | undefined;
  /** Called with the rows read, bad ones included, and the rows of the plan. */
  readonly onProgress?: ((rowsDone: number, rowsTotal: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A chunk of a file of the plan. */
export interface PlannedChunk {
  readonly chunk: Chunk;
  /** Position of the file. */
  readonly file: number;
  readonly columns: FileColumns;
}

/** A row, by the position of its file and its place in the file, for people. */
export interface RowOrigin {
  readonly file: number;
  readonly row: number;
}

/** The files of the input, then those of their ids. */
export function sourcesOf({ files }: IngestPlan): InspectedFile[] {
  return [...files, ...files.flatMap(({ ids }) => filesOfIds(ids))];
}

export class RowPass {
  readonly builder: IdTableBuilder;
  readonly ids = new IdRows();
  readonly vectors: VectorRows;
  readonly tally = new BadRowTally();
  /** Rows before the current chunk. */
  rowsRead = 0;
  /** For the vectors of a batch and of the one before it. */
  private buffers = [new Float32Array(0), new Float32Array(0)];
  private rejects: string[] = [];

  /** @param expectedIds about how many ids will be accepted */
  constructor(
    private readonly plan: IngestPlan,
    private readonly options: PassOptions,
    expectedIds: number,
  ) {
    this.builder = new IdTableBuilder(plan.idType, expectedIds);
    this.vectors = new VectorRows(options.metric, plan.dim, plan.dimSource);
  }

  /**
   * The chunks of all files, in order. Their ids are open. A chunk is counted when the next one is asked for.
   * @param isRead whether a file is read; of others only the rows are counted
   */
  async *chunks(isRead: (file: number) => boolean = () => true): AsyncGenerator<PlannedChunk, void, undefined> {
    for (const [position, file] of this.plan.files.entries()) {
      if (!isRead(position)) {
        this.rowsRead += file.rows;
        continue;
      }
      const reader = await openPlanned(file);
      try {
        const { idField: id, vectorField: vector, attributes } = this.plan;
        const columns = locateColumns(reader.path, reader.fields, { id, vector, attributes });
        for await (const chunk of readAhead(reader.read(columns.positions))) {
          this.options.signal?.throwIfAborted();
          this.ids.open(chunk.columns[0]!);
          yield { chunk, file: position, columns };
          this.rowsRead += chunk.rows;
          this.options.onProgress?.(this.rowsRead, this.plan.rows);
        }
      } finally {
        await reader.close();
      }
      await assertUnchanged(file);
    }
  }

  /** Memory for the vectors of a batch, valid until the second call after this one. */
  reserve(length: number): Float32Array {
    const [before, last] = this.buffers;
    const buffer = before!.length < length ? new Float32Array(length) : before!;
    this.buffers = [last!, buffer];
    return buffer;
  }

  /** @param first of a duplicate: the row that has the id already */
  reject(kind: BadRowKind, { chunk, file }: PlannedChunk, row: number, first: () => RowOrigin): void {
    const describe = (): BadRow => ({
      file: this.plan.files[file]!.path,
      row: chunk.firstRow + row,
      id: this.ids.text(row),
      kind,
      detail: this.explain(kind, row, first),
    });
    this.tally.add(kind, describe);
    if (this.options.onRejects !== undefined) this.rejects.push(toRejectLine(describe()));
  }

  private explain(kind: BadRowKind, row: number, first: () => RowOrigin): string {
    if (kind === 'null_id' || kind === 'bad_id') return this.ids.explain(row, kind);
    if (kind !== 'duplicate_id') return this.vectors.explain(row, kind);
    const origin = first();
    return `the same id is in ${this.plan.files[origin.file]!.path} row ${origin.row}`;
  }

  /** Passes on the bad rows of the chunk, before its batch. */
  async flushRejects(): Promise<void> {
    if (this.rejects.length === 0) return;
    const lines = this.rejects.join('');
    this.rejects = [];
    await this.options.onRejects?.(lines);
  }
}
