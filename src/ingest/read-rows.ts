/**
 * One pass over the input: checked rows, and a report of what was wrong.
 *
 * Takes a plan; yields batches of vectors, id hashes and attributes, and at the end returns the table of ids and the
 * hashes of the files. All bad rows (bad-rows.ts) are counted. Under `fail` the whole input is
 * read and then refused, without any batch after the first bad row. Under `skip` bad rows are left out and reported;
 * above a maximum share of the rows the input is refused as under `fail`. Of two rows with one id the later is bad; bad
 * rows do not take an id.
 *
 * A chunk is read while the one before it is checked and the one before that may still be written. Memory: two chunks
 * of the reader, two arrays of their vectors, the table of ids.
 */
import type { Chunk } from '../arrow/read/table-reader.js';
import type { Column } from '../arrow/column.js';
import { ShortlistError } from '../base/errors.js';
import { IdTableBuilder } from '../base/id-table-builder.js';
import type { IdTable } from '../base/id-table.js';
import type { Metric } from '../base/metric.js';
import { readAhead } from '../base/read-ahead.js';
import { BadRowTally, badRowsError, toRejectLine, type BadRow, type BadRowKind, type BadRows } from './bad-rows.js';
import { locateColumns, type FileColumns } from './file-columns.js';
import { gatherRows } from '../arrow/gather.js';
import { startHashing, type FileHash, type HashRun } from './hash-files.js';
import { IdRows } from './id-rows.js';
import { filesOfIds } from './attached-ids.js';
import { changed, type InspectedFile } from './inspect-file.js';
import { assertUnchanged, openPlanned, type IngestPlan } from './plan.js';
import { RowOrigins } from './row-origins.js';
import { describeLengths } from './vector-lengths.js';
import { VectorRows } from './vector-rows.js';

export interface ReadOptions {
  /** Under cosine, vectors are scaled to unit length. */
  readonly metric: Metric;
  readonly onBadRow: 'fail' | 'skip';
  /** Largest share of the rows that `skip` may leave out, from 0 to 1; default 1. */
  readonly maxRejected?: number;
  /** Receives the bad rows under `skip`: JSON Lines of {file, row, id, kind, detail}, in input order. */
  readonly onRejects?: (lines: string) => void | Promise<void>;
  /** Called with the rows read, bad ones included, and the rows of the plan. */
  readonly onProgress?: (rowsDone: number, rowsTotal: number) => void;
  readonly signal?: AbortSignal;
}

/** Consecutive accepted rows. The arrays are valid until the second batch after this one is requested. */
interface IngestBatch {
  /** At least 1. */
  readonly rows: number;
  readonly firstOrdinal: number;
  readonly dim: number;
  /** rows x dim values, of unit length under cosine. */
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
  /** Mean length of the vectors in the files. */
  readonly meanNorm: number;
  /** The ids of accepted rows; the ordinal of a row is its position among them. */
  readonly ids: IdTable;
  /** Those of the input, then those of their ids. */
  readonly files: readonly SourceFile[];
  readonly badRows: BadRows;
}

interface RowReading {
  /** To be read once, to its end. @throws bad_rows, no_rows, input_corrupt, or the signal's reason */
  readonly batches: AsyncGenerator<IngestBatch, void, undefined>;
  /** Available after `batches` has ended. */
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
  /** For the vectors of a batch and of the one before it. */
  private buffers = [new Float32Array(0), new Float32Array(0)];
  private rejects: string[] = [];
  private rowsRead = 0;

  constructor(
    private readonly plan: IngestPlan,
    private readonly options: ReadOptions,
  ) {
    this.builder = new IdTableBuilder(plan.idType, plan.rows);
    this.vectors = new VectorRows(options.metric, plan.dim, plan.dimSource);
  }

  async *run(): AsyncGenerator<IngestBatch, IngestReport, undefined> {
    const sources = this.sources();
    const bytes = sources.reduce((sum, file) => sum + file.bytes, 0);
    const hashing = startHashing(sources.map((file) => file.path), bytes); // prettier-ignore
    try {
      for (const position of this.plan.files.keys()) yield* this.readFile(position);
      return await this.finish(hashing);
    } finally {
      await hashing.stop();
    }
  }

  /** The files of the input, then those of their ids. */
  private sources(): InspectedFile[] {
    const { files } = this.plan;
    return [...files, ...files.flatMap(({ ids }) => filesOfIds(ids))];
  }

  private async *readFile(position: number): AsyncGenerator<IngestBatch, void, undefined> {
    const file = this.plan.files[position]!;
    const reader = await openPlanned(file);
    try {
      const { idField: id, vectorField: vector, attributes } = this.plan;
      const columns = locateColumns(reader.path, reader.fields, { id, vector, attributes });
      for await (const chunk of readAhead(reader.read(columns.positions))) {
        this.options.signal?.throwIfAborted();
        const batch = this.checkChunk(chunk, position, columns);
        await this.flushRejects();
        this.rowsRead += chunk.rows;
        this.options.onProgress?.(this.rowsRead, this.plan.rows);
        if (batch !== null) yield batch;
      }
    } finally {
      await reader.close();
    }
    await assertUnchanged(file);
  }

  /** The accepted rows of the chunk; null if there are none, or if the input will be refused. */
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
    const picked = { pieces: null, rows: kept.subarray(0, accepted) };
    const attributes = columns.attributes(chunk);
    return {
      rows: accepted,
      firstOrdinal,
      dim,
      vectors: out.subarray(0, accepted * dim),
      hashes: hashes.subarray(0, accepted),
      attributes: accepted === chunk.rows ? attributes : attributes.map((column) => gatherRows([column], picked)),
    };
  }

  private reserve(length: number): Float32Array {
    const [before, last] = this.buffers;
    const buffer = before!.length < length ? new Float32Array(length) : before!;
    this.buffers = [last!, buffer];
    return buffer;
  }

  /** @param ordinal of a duplicate: that of the row that has the id already */
  private reject(kind: BadRowKind, row: number, firstRow: number, position: number, ordinal: number): void {
    const describe = (): BadRow => ({
      file: this.plan.files[position]!.path,
      row: firstRow + row,
      id: this.ids.text(row),
      kind,
      detail: this.explain(kind, row, ordinal),
    });
    this.tally.add(kind, describe);
    if (this.options.onBadRow === 'skip' && this.options.onRejects !== undefined) {
      this.rejects.push(toRejectLine(describe()));
    }
  }

  private explain(kind: BadRowKind, row: number, ordinal: number): string {
    if (kind === 'null_id' || kind === 'bad_id') return this.ids.explain(row, kind);
    if (kind !== 'duplicate_id') return this.vectors.explain(row, kind);
    const first = this.origins.find(ordinal);
    return `the same id is in ${this.plan.files[first.file]!.path} row ${first.row}`;
  }

  private async flushRejects(): Promise<void> {
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
        : `--max-rejected ${maxRejected} allows ${Math.floor(maxRejected * this.rowsRead).toLocaleString('en-US')} of them: correct them, or allow more`;
    const several = lengths.length > 1 ? `the vectors have ${describeLengths(lengths)}; choose one with --dim; ` : '';
    return badRowsError(badRows, this.rowsRead, `${several}${advice}`);
  }

  private async finish(hashing: HashRun): Promise<IngestReport> {
    const badRows = this.tally.snapshot();
    const { dim } = this.vectors;
    if (this.isRefused()) throw this.refusal(badRows);
    if (this.builder.count === 0 || dim === null) throw this.noRows(badRows);
    const hashes = await this.awaitHashes(hashing);
    return {
      rows: this.builder.count,
      rowsRead: this.rowsRead,
      dim,
      meanNorm: this.vectors.meanNorm,
      ids: this.builder.finish(),
      files: this.sources().map((file, position) => toSource(file, hashes[position]!)),
      badRows,
    };
  }

  /** Hashing may take long after the last row, so it can be aborted. */
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
    const what = this.rowsRead === 0 ? 'has no rows' : `has ${this.rowsRead} rows, and all of them are bad`;
    const message = `the input ${names} ${what}: there is nothing to build from`;
    return new ShortlistError('no_rows', message, { files, rows: this.rowsRead, bad_rows: badRows });
  }
}

function toSource(file: InspectedFile, hash: FileHash): SourceFile {
  if (hash.bytes !== file.bytes) throw changed(file);
  return { path: file.path, bytes: file.bytes, rows: file.rows, sha256: hash.sha256 };
}
