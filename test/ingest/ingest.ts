/** Reads inputs to their end and keeps everything, for tests to compare. */
import type { Column } from '../../src/arrow/column.js';
import type { BadRow } from '../../src/ingest/bad-rows.js';
import { planIngest, type IngestOptions } from '../../src/ingest/plan.js';
import { readRows, type IngestReport, type ReadOptions } from '../../src/ingest/read-rows.js';

export interface Ingested {
  readonly ids: string[];
  readonly vectors: number[];
  readonly hashes: number[];
  /** Values of each attribute. */
  readonly attributes: unknown[][];
  readonly rejects: BadRow[];
  readonly report: IngestReport;
}

type Options = Partial<ReadOptions> & Omit<IngestOptions, 'paths'> & Pick<ReadOptions, 'metric'>;

export async function ingest(paths: readonly string[], options: Options): Promise<Ingested> {
  const plan = await planIngest({ ...options, paths });
  const vectors: number[] = [];
  const hashes: number[] = [];
  const attributes: unknown[][] = plan.attributes.map(() => []);
  const lines: string[] = [];
  const reading = readRows(plan, { onBadRow: 'fail', onRejects: (text) => void lines.push(text), ...options });
  for await (const batch of reading.batches) {
    if (batch.firstOrdinal !== hashes.length) throw new Error(`batch at ${batch.firstOrdinal}, not ${hashes.length}`);
    for (const value of batch.vectors) vectors.push(value);
    for (const hash of batch.hashes) hashes.push(hash);
    batch.attributes.forEach((column, i) => {
      for (let row = 0; row < batch.rows; row++) attributes[i]!.push(valueOf(column, row));
    });
  }
  const report = reading.report();
  const ids = Array.from({ length: report.ids.count }, (_, ordinal) => report.ids.text(ordinal));
  const rejects = lines
    .join('')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as BadRow);
  return { ids, vectors, hashes, attributes, rejects, report };
}

export function valueOf(column: Column, row: number): unknown {
  if (column.valid !== null && column.valid[row] === 0) return null;
  switch (column.shape) {
    case 'numbers':
      return column.values[row];
    case 'bools':
      return column.values[row] === 1;
    case 'strings':
      return Buffer.from(column.bytes.subarray(column.offsets[row], column.offsets[row + 1])).toString();
    case 'lists': {
      const [start, end] = [column.offsets[row]!, column.offsets[row + 1]!];
      return Array.from({ length: end - start }, (_, i) => valueOf(column.items, start + i));
    }
  }
}
