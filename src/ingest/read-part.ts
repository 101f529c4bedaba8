/**
 * As read-rows.ts, for the rows of one shard: a task of an array job reads the whole input and keeps what is its own.
 *
 * A row belongs to the shard of its id's hash, a row without an id to shard 0. So each row is judged by one task, as a
 * build of all shards would judge it: a duplicate has the hash of the row before it. Bad rows are counted and never
 * refused, since only all tasks together know how many there are. A file whose rows all belong to one shard is read by
 * that shard's task alone; a row that belongs elsewhere is input_corrupt.
 *
 * Rows have numbers in the whole input instead of ordinals, which depend on the bad rows of all shards.
 */
import { gatherRows } from '../arrow/gather.js';
import type { Column } from '../arrow/column.js';
import { ShortlistError } from '../base/errors.js';
import { shardOf } from '../base/hash.js';
import type { IdTable } from '../base/id-table.js';
import type { BadRows } from './bad-rows.js';
import { awaitHashes, startHashing } from './hash-files.js';
import { changed } from './inspect-file.js';
import type { IngestPlan } from './plan.js';
import { RowNumbers } from './row-numbers.js';
import { RowPass, sourcesOf, type PassOptions, type PlannedChunk, type RowOrigin } from './row-pass.js';

interface ReadPartOptions extends PassOptions {
  readonly shard: number;
  readonly shards: number;
  /** For each file of the plan: the shard that all of its rows belong to; null if they belong to any. */
  readonly partitions: readonly (number | null)[];
}

/** Consecutive accepted rows of the shard. The arrays are valid until the second batch after this one is requested. */
interface PartBatch {
  /** Ascending. */
  readonly numbers: Uint32Array;
  readonly dim: number;
  readonly vectors: Float32Array;
  readonly attributes: readonly Column[];
}

export interface PartReport {
  /** Of the shard's accepted rows, in their order. */
  readonly ids: IdTable;
  /** Null if no row of the shard was accepted. */
  readonly dim: number | null;
  /** Mean length of the vectors in the files, and how many it is of: those that are sound. */
  readonly norm: { readonly mean: number; readonly count: number };
  readonly badRows: BadRows;
  /** Numbers of the bad rows, ascending. */
  readonly rejected: Uint32Array;
  /** SHA-256 of the files that this task hashed, by position among the sources. Each source is hashed by one task. */
  readonly hashes: ReadonlyMap<number, string>;
}

interface PartReading {
  readonly batches: AsyncGenerator<PartBatch, void, undefined>;
  /** Available after `batches` has ended. */
  report(): PartReport;
}

export function readPart(plan: IngestPlan, options: ReadPartOptions): PartReading {
  let report: PartReport | null = null;
  async function* read(): AsyncGenerator<PartBatch, void, undefined> {
    report = yield* new PartPass(plan, options).run();
  }
  return {
    batches: read(),
    report: () => {
      if (report === null) throw new Error('the report was asked for before all batches were read');
      return report;
    },
  };
}

class PartPass {
  private readonly rows: RowPass;
  private readonly accepted = new RowNumbers();
  private readonly rejected = new RowNumbers();

  constructor(
    private readonly plan: IngestPlan,
    private readonly options: ReadPartOptions,
  ) {
    this.rows = new RowPass(plan, options, Math.ceil(plan.rows / options.shards));
  }

  async *run(): AsyncGenerator<PartBatch, PartReport, undefined> {
    const { shard, shards } = this.options;
    const sources = [...sourcesOf(this.plan).entries()].filter(([position]) => position % shards === shard);
    const bytes = sources.reduce((sum, [, file]) => sum + file.bytes, 0);
    const hashing = startHashing(sources.map(([, file]) => file.path), bytes); // prettier-ignore
    try {
      for await (const planned of this.rows.chunks((file) => this.isRead(file))) {
        const batch = this.checkChunk(planned);
        await this.rows.flushRejects();
        if (batch !== null) yield batch;
      }
      const found = await awaitHashes(hashing, this.options.signal);
      for (const [i, [, file]] of sources.entries()) if (found[i]!.bytes !== file.bytes) throw changed(file);
      const { builder, vectors, tally } = this.rows;
      return {
        ids: builder.finish(),
        dim: vectors.dim,
        norm: { mean: vectors.meanNorm, count: vectors.copied },
        badRows: tally.snapshot(),
        rejected: this.rejected.all(),
        hashes: new Map(sources.map(([position], i) => [position, found[i]!.sha256])),
      };
    } finally {
      await hashing.stop();
    }
  }

  private partitionOf(file: number): number | null {
    return this.options.partitions[file] ?? null;
  }

  private isRead(file: number): boolean {
    const partition = this.partitionOf(file);
    return partition === null || partition === this.options.shard;
  }

  /** The accepted rows of the chunk that belong to the shard; null if there are none. */
  private checkChunk(planned: PlannedChunk): PartBatch | null {
    const { builder, ids, vectors, rowsRead } = this.rows;
    const own = this.ownRows(planned);
    if (own.length === 0) return null;
    const { chunk, columns } = planned;
    vectors.open(chunk.columns[1]!);
    const dim = vectors.dim ?? 0;
    const out = this.rows.reserve(own.length * dim);
    const kept = new Uint32Array(own.length);
    let accepted = 0;
    for (const row of own) {
      const fault = ids.check(row) ?? vectors.copy(row, out, accepted * dim);
      const ordinal = fault === null ? ids.addTo(builder, row) : -1;
      if (ordinal !== this.accepted.count) {
        this.rows.reject(fault ?? 'duplicate_id', planned, row, () => this.originOf(ordinal));
        this.rejected.add(rowsRead + row);
        continue;
      }
      this.accepted.add(rowsRead + row);
      kept[accepted++] = row;
    }
    if (accepted === 0) return null;
    const rows = kept.subarray(0, accepted);
    return {
      numbers: rows.map((row) => rowsRead + row),
      dim,
      vectors: out.subarray(0, accepted * dim),
      attributes: columns.attributes(chunk).map((column) => gatherRows([column], { pieces: null, rows })),
    };
  }

  private ownRows({ chunk, file }: PlannedChunk): Uint32Array {
    const { shard, shards } = this.options;
    const { ids } = this.rows;
    const partition = this.partitionOf(file);
    const own = new Uint32Array(chunk.rows);
    let count = 0;
    for (let row = 0; row < chunk.rows; row++) {
      const owner = ids.check(row) === null ? shardOf(ids.hash(row), shards) : (partition ?? 0);
      if (owner === shard) own[count++] = row;
      else if (partition !== null) throw this.misplaced(file, chunk.firstRow + row, ids.text(row), owner);
    }
    return own.subarray(0, count);
  }

  private misplaced(file: number, row: number, id: string | null, owner: number): ShortlistError {
    const { path } = this.plan.files[file]!;
    const { shard, shards } = this.options;
    const message = `${path} row ${row}: the id ${JSON.stringify(id)} belongs to shard ${owner}, not to ${shard}, as the folder says; partition by murmur3(id) mod ${shards}, or plan without --partitioned`; // prettier-ignore
    return new ShortlistError('input_corrupt', message, { file: path, row, shard: owner });
  }

  /** The row that an accepted row of this shard was. */
  private originOf(ordinal: number): RowOrigin {
    const { files } = this.plan;
    let row = this.accepted.at(ordinal);
    let file = 0;
    while (row >= files[file]!.rows) row -= files[file++]!.rows;
    return { file, row };
  }
}
