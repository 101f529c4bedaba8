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
import type { Column } from '../arrow/column.js';
import { ShortlistError } from '../base/errors.js';
import type { IdTable } from '../base/id-table.js';
import { badRowsError, type BadRows } from './bad-rows.js';
import { gatherRows } from '../arrow/gather.js';
import { awaitHashes, startHashing, type FileHash, type HashRun } from './hash-files.js';
import { changed, type InspectedFile } from './inspect-file.js';
import type { IngestPlan } from './plan.js';
import { RowOrigins } from './row-origins.js';
import { RowPass, sourcesOf, type PassOptions, type PlannedChunk } from './row-pass.js';
import { describeLengths } from './vector-lengths.js';

export interface ReadOptions extends PassOptions {
  /** Under `skip`, `onRejects` receives the bad rows. */
  readonly onBadRow: 'fail' | 'skip';
  /** Largest share of the rows that `skip` may leave out, from 0 to 1; default 1. */
  readonly maxRejected?: number;
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
  private readonly rows: RowPass;
  private readonly origins = new RowOrigins();

  constructor(
    private readonly plan: IngestPlan,
    private readonly options: ReadOptions,
  ) {
    const { onBadRow, onRejects } = options;
    this.rows = new RowPass(plan, { ...options, onRejects: onBadRow === 'skip' ? onRejects : undefined }, plan.rows);
  }

  async *run(): AsyncGenerator<IngestBatch, IngestReport, undefined> {
    const sources = sourcesOf(this.plan);
    const bytes = sources.reduce((sum, file) => sum + file.bytes, 0);
    const hashing = startHashing(sources.map((file) => file.path), bytes); // prettier-ignore
    try {
      for await (const planned of this.rows.chunks()) {
        const batch = this.checkChunk(planned);
        await this.rows.flushRejects();
        if (batch !== null) yield batch;
      }
      return await this.finish(hashing, sources);
    } finally {
      await hashing.stop();
    }
  }

  /** The accepted rows of the chunk; null if there are none, or if the input will be refused. */
  private checkChunk(planned: PlannedChunk): IngestBatch | null {
    const { chunk, file, columns } = planned;
    const { builder, ids, vectors } = this.rows;
    vectors.open(chunk.columns[1]!);
    const dim = vectors.dim ?? 0;
    const firstOrdinal = builder.count;
    const out = this.rows.reserve(chunk.rows * dim);
    const kept = new Uint32Array(chunk.rows);
    const hashes = new Uint32Array(chunk.rows);
    let accepted = 0;
    let inRun = false;
    for (let row = 0; row < chunk.rows; row++) {
      const fault = ids.check(row) ?? vectors.copy(row, out, accepted * dim);
      const ordinal = fault === null ? ids.addTo(builder, row) : -1;
      if (ordinal !== firstOrdinal + accepted) {
        this.rows.reject(fault ?? 'duplicate_id', planned, row, () => this.origins.find(ordinal));
        inRun = false;
        continue;
      }
      if (!inRun) this.origins.startRun(ordinal, file, chunk.firstRow + row);
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

  private isRefused(): boolean {
    const { onBadRow, maxRejected = 1 } = this.options;
    return this.rows.tally.total > (onBadRow === 'fail' ? 0 : maxRejected * this.plan.rows);
  }

  private async finish(hashing: HashRun, sources: readonly InspectedFile[]): Promise<IngestReport> {
    const { tally, builder, vectors, rowsRead } = this.rows;
    const badRows = tally.snapshot();
    const { dim } = vectors;
    if (this.isRefused()) throw refusal(this.plan, this.options, badRows, rowsRead);
    if (builder.count === 0 || dim === null) throw noRows(this.plan, badRows, rowsRead);
    const hashes = await awaitHashes(hashing, this.options.signal);
    return {
      rows: builder.count,
      rowsRead,
      dim,
      meanNorm: vectors.meanNorm,
      ids: builder.finish(),
      files: sources.map((file, position) => toSource(file, hashes[position]!)),
      badRows,
    };
  }
}

/** Bad rows that are more than the options allow. */
export function refusal(
  { lengths }: Pick<IngestPlan, 'lengths'>,
  { onBadRow, maxRejected = 1 }: Pick<ReadOptions, 'onBadRow' | 'maxRejected'>,
  badRows: BadRows,
  rowsRead: number,
): ShortlistError {
  const advice =
    onBadRow === 'fail'
      ? 'correct them, or leave them out with --on-bad-row skip'
      : `--max-rejected ${maxRejected} allows ${Math.floor(maxRejected * rowsRead).toLocaleString('en-US')} of them: correct them, or allow more`;
  const several = lengths.length > 1 ? `the vectors have ${describeLengths(lengths)}; choose one with --dim; ` : '';
  return badRowsError(badRows, rowsRead, `${several}${advice}`);
}

export function noRows(plan: Pick<IngestPlan, 'files'>, badRows: BadRows, rowsRead: number): ShortlistError {
  const files = plan.files.map((file) => file.path);
  const names = files.length === 1 ? files[0]! : `${files[0]!} and ${files.length - 1} more`;
  const what = rowsRead === 0 ? 'has no rows' : `has ${rowsRead} rows, and all of them are bad`;
  const message = `the input ${names} ${what}: there is nothing to build from`;
  return new ShortlistError('no_rows', message, { files, rows: rowsRead, bad_rows: badRows });
}

function toSource(file: InspectedFile, hash: FileHash): SourceFile {
  if (hash.bytes !== file.bytes) throw changed(file);
  return { path: file.path, bytes: file.bytes, rows: file.rows, sha256: hash.sha256 };
}
