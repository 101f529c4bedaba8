/**
 * One pass over the input: checked rows out, and a report of what was wrong.
 *
 * Takes a plan; gives batches of vectors, id hashes and attributes, and at the end the table of ids and the hashes of
 * the files. Rows that break the data contract (bad-rows.ts) are all counted, whatever becomes of them: under `fail`
 * the whole input is read and then refused, and no batch is given after the first bad row; under `skip` they are left
 * out and handed on, up to a share of the rows: beyond it the input is refused as under `fail`. Of two rows with one
 * id the later is bad, and an id is taken only by a row that is good.
 *
 * A chunk is read while the one before it is checked, and the one before that may still be written. Memory: two
 * chunks of the reader, two arrays of their vectors, the table of ids.
 */
import type { ArrowReader, Chunk } from '../arrow/read/reader.js';
import type { Column } from '../arrow/column.js';
import { ShortlistError } from '../base/errors.js';
import { IdTableBuilder } from '../base/id-table-builder.js';
import type { IdTable } from '../base/id-table.js';
import type { Metric } from '../base/metric.js';
import { readAhead } from '../base/read-ahead.js';
import { BadRowTally, badRowsError, toRejectLine, type BadRow, type BadRowKind, type BadRows } from './bad-rows.js';
import { locateColumns, type FileColumns } from './file-columns.js';
import { gatherColumn } from './gather-column.js';
import { startHashing, type FileHash, type HashRun } from './hash-files.js';
import { IdRows } from './id-rows.js';
import { assertUnchanged, changed, openPlanned, type IngestPlan, type PlannedFile } from './plan.js';
import { RowOrigins } from './row-origins.js';
import { describeLengths } from './vector-lengths.js';
import { VectorRows } from './vector-rows.js';

export interface ReadOptions {
  /** Under cosine, vectors are given at unit length. */
  readonly metric: Metric;
  readonly onBadRow: 'fail' | 'skip';
  /** Largest share of the rows that `skip` may leave out, from 0 to 1; default 1. */
  readonly maxRejected?: number;
  /** Takes the bad rows under `skip`, as JSON Lines of {file, row, id, kind, detail}, in input order. */
  readonly onRejects?: (lines: string) => void | Promise<void>;
  /** Rows read so far, bad ones included, and in all. */
  readonly onProgress?: (rowsDone: number, rowsTotal: number) => void;
  readonly signal?: AbortSignal;
}

/** Consecutive accepted rows. Its arrays are valid until the second batch after it is asked for. */
interface IngestBatch {
  /** At least 1. */
  readonly rows: number;
  readonly firstOrdinal: number;
  readonly dim: number;
  /** rows x dim values; unit length under cosine. */
  readonly vectors: Float32Array;
  /** murmur3 of each id's canonical text. */
  readonly hashes: Uint32Array;
  /** In the order of the plan's attributes. */
  readonly attributes: readonly Column[];
}

interface SourceFile {
  readonly path: string;
  readonly bytes: number;
  readonly rows: number;
  readonly sha256: string;
}

export interface IngestReport {
  /** Accepted rows. */
  readonly rows: number;
  readonly rowsRead: number;
  readonly dim: number;
  /** The accepted ids; a row's ordinal is its position among them. */
  readonly ids: IdTable;
  readonly files: readonly SourceFile[];
  readonly badRows: BadRows;
}

interface RowReading {
  /** Read it to its end, once. @throws bad_rows, no_rows, input_corrupt, or the signal's reason */
  readonly batches: AsyncGenerator<IngestBatch, void, undefined>;
  /** What was read; only after `batches` has ended. */
  report(): IngestReport;
}

export function readRows(plan: IngestPlan, options: ReadOptions): RowReading {
  let report: IngestReport | null = null;
  const pass = new Pass(plan, options);
  async function* read(): AsyncGenerator<IngestBatch, void, undefined> {
    report = yield* pass.run();
  }
  return {
    batches: read(),
    report: () => {
      if (report === null) throw new Error('the report was asked for before all batches were read');
      return report;
    },
  };
}

class Pass {
  private readonly builder: IdTableBuilder;
  private readonly ids = new IdRows();
  private readonly vectors: VectorRows;
  private readonly origins = new RowOrigins();
  private readonly tally = new BadRowTally();
  private readonly plan: IngestPlan;
  private readonly options: ReadOptions;
  /** For the vectors of a batch, and of the one before it. */
  private buffers = [new Float32Array(0), new Float32Array(0)];
  private rejects: string[] = [];
  private rowsRead = 0;

  constructor(plan: IngestPlan, options: ReadOptions) {
    this.plan = plan;
    this.options = options;
    this.builder = new IdTableBuilder(plan.idType, plan.rows);
    this.vectors = new VectorRows(options.metric, plan.dim, plan.dimSource);
  }

  async *run(): AsyncGenerator<IngestBatch, IngestReport, undefined> {
    const { files } = this.plan;
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const hashing = startHashing(
      files.map((file) => file.path),
      bytes,
    );
    try {
      for (const position of files.keys()) yield* this.readFile(position);
      return await this.finish(hashing);
    } finally {
      await hashing.stop();
    }
  }

  private async *readFile(position: number): AsyncGenerator<IngestBatch, void, undefined> {
    const file = this.plan.files[position]!;
    const reader = await openPlanned(file);
    try {
      const columns = this.locate(reader);
      for await (const chunk of readAhead(reader.read(columns.positions))) {
        this.options.signal?.throwIfAborted();
        const batch = this.checkChunk(chunk, position, columns);
        await this.handRejects();
        this.rowsRead += chunk.rows;
        this.options.onProgress?.(this.rowsRead, this.plan.rows);
        if (batch !== null) yield batch;
      }
    } finally {
      await reader.close();
    }
    await assertUnchanged(file);
  }

  private locate(reader: ArrowReader): FileColumns {
    const { idField: id, vectorField: vector, attributes } = this.plan;
    return locateColumns(reader.path, reader.fields, { id, vector, attributes });
  }

  /** The chunk's accepted rows; null where there are none, or the input is refused anyway. */
  private checkChunk(chunk: Chunk, position: number, columns: FileColumns): IngestBatch | null {
    const { builder, ids, vectors, origins } = this;
    const [idColumn, vectorColumn] = chunk.columns;
    ids.open(idColumn!);
    vectors.open(vectorColumn!);
    const dim = vectors.dim ?? 0;
    const firstOrdinal = builder.count;
    const out = this.reserve(chunk.rows * dim);
    const kept = new Uint32Array(chunk.rows);
    const hashes = new Uint32Array(chunk.rows);
    let accepted = 0;
    let inRun = false;
    for (let row = 0; row < chunk.rows; row++) {
      const fault = ids.check(row) ?? vectors.copy(row, out, accepted * dim);
      const ordinal = fault === null ? ids.addTo(builder, row) : -1;
      if (ordinal !== firstOrdinal + accepted) {
        this.reject(fault ?? 'duplicate_id', row, chunk.firstRow, position, ordinal);
        inRun = false;
        continue;
      }
      if (!inRun) origins.startRun(ordinal, position, chunk.firstRow + row);
      inRun = true;
      kept[accepted] = row;
      hashes[accepted] = builder.lastHash;
      accepted++;
    }
    if (accepted === 0 || this.isRefused()) return null;
    const rows = kept.subarray(0, accepted);
    const attributes = columns.attributes(chunk);
    return {
      rows: accepted,
      firstOrdinal,
      dim,
      vectors: out.subarray(0, accepted * dim),
      hashes: hashes.subarray(0, accepted),
      attributes: accepted === chunk.rows ? attributes : attributes.map((column) => gatherColumn(column, rows)),
    };
  }

  private reserve(length: number): Float32Array {
    const [before, last] = this.buffers;
    const buffer = before!.length < length ? new Float32Array(length) : before!;
    this.buffers = [last!, buffer];
    return buffer;
  }

  /** @param ordinal of the row that has the id already, for a duplicate */
  private reject(kind: BadRowKind, row: number, firstRow: number, position: number, ordinal: number): void {
    const describe = (): BadRow => {
      const { path } = this.plan.files[position]!;
      return {
        file: path,
        row: firstRow + row,
        id: this.ids.text(row),
        kind,
        detail: this.explain(kind, row, ordinal),
      };
    };
    this.tally.add(kind, describe);
    if (this.options.onBadRow === 'skip' && this.options.onRejects !== undefined) {
      this.rejects.push(toRejectLine(describe()));
    }
  }

  private explain(kind: BadRowKind, row: number, ordinal: number): string {
    if (kind === 'null_id' || kind === 'bad_id') return this.ids.explain(row, kind);
    if (kind !== 'duplicate_id') return this.vectors.explain(row, kind);
    const first = this.origins.find(ordinal);
    return `the id is that of ${this.plan.files[first.file]!.path} row ${first.row}`;
  }

  private async handRejects(): Promise<void> {
    if (this.rejects.length === 0) return;
    const lines = this.rejects.join('');
    this.rejects = [];
    await this.options.onRejects?.(lines);
  }

  private isRefused(): boolean {
    const { onBadRow, maxRejected = 1 } = this.options;
    return this.tally.total > (onBadRow === 'fail' ? 0 : maxRejected * this.plan.rows);
  }

  private refusal(badRows: BadRows): ShortlistError {
    const { lengths } = this.plan;
    const { onBadRow, maxRejected = 1 } = this.options;
    const advice =
      onBadRow === 'fail'
        ? 'correct them, or leave them out with --on-bad-row skip'
        : `--max-rejected ${maxRejected} allows to leave out ${Math.floor(maxRejected * this.rowsRead).toLocaleString('en-US')}: correct them, or allow more`;
    const several =
      lengths.length > 1 ? `the vectors have ${describeLengths(lengths)}; --dim says which is right; ` : '';
    return badRowsError(badRows, this.rowsRead, `${several}${advice}`);
  }

  private async finish(hashing: HashRun): Promise<IngestReport> {
    const badRows = this.tally.snapshot();
    const { dim } = this.vectors;
    if (this.isRefused()) {
      throw this.refusal(badRows);
    }
    if (this.builder.count === 0 || dim === null) throw this.noRows(badRows);
    const hashes = await this.awaitHashes(hashing);
    return {
      rows: this.builder.count,
      rowsRead: this.rowsRead,
      dim,
      ids: this.builder.finish(),
      files: this.plan.files.map((file, position) => toSource(file, hashes[position]!)),
      badRows,
    };
  }

  /** Hashing may still run long after the last row. */
  private async awaitHashes(hashing: HashRun): Promise<FileHash[]> {
    const { signal } = this.options;
    const stop = (): void => void hashing.stop();
    signal?.addEventListener('abort', stop);
    try {
      return await hashing.result();
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  private noRows(badRows: BadRows): ShortlistError {
    const files = this.plan.files.map((file) => file.path);
    const names = files.length === 1 ? files[0]! : `${files[0]!} and ${files.length - 1} more`;
    const what = this.rowsRead === 0 ? 'has no rows' : `has ${this.rowsRead} rows and all of them are bad`;
    const message = `the input ${names} ${what}: there is nothing to build from`;
    return new ShortlistError('no_rows', message, { files, rows: this.rowsRead, bad_rows: badRows });
  }
}

function toSource(file: PlannedFile, hash: FileHash): SourceFile {
  if (hash.bytes !== file.bytes) throw changed(file);
  return { path: file.path, bytes: file.bytes, rows: file.rows, sha256: hash.sha256 };
}
