/**
 * Compares batches over Arrow with the same queries one by one as octet-stream, in short alternating turns
 * (measure.ts).
 */
import { median, significant } from '../lib/numbers.js';
import type { Expected } from './expected.js';
import { loadClosed } from './load.js';
import { makeLoad, type Target } from './measure.js';
import type { BatchFigures } from './result.js';

const BATCH = 64;
/** Batches on their way: two a worker, so that none waits for the driver. Single requests: as many queries as in one batch. */
const BATCHES_PER_WORKER = 2;
const WARM_TURNS = 3;

export async function measureBatch(
  target: Target,
  vectors: readonly Float32Array[],
  expected: Expected,
  { k, workers, turns, turnMs }: { k: number; workers: number; turns: number; turnMs: number },
): Promise<BatchFigures> {
  const groups = Array.from({ length: Math.floor(vectors.length / BATCH) }, (_, i) => vectors.slice(i * BATCH, (i + 1) * BATCH)); // prettier-ignore
  const batches = makeLoad(target, 'arrow', groups, expected, { k }, turnMs);
  const singles = makeLoad(target, 'octet-stream', vectors.map((vector) => [vector]), expected, { k }, turnMs); // prettier-ignore
  const arrow_batch_qps: number[] = [];
  const single_binary_qps: number[] = [];
  for (let turn = -WARM_TURNS; turn < turns; turn++) {
    const many = await loadClosed(batches, BATCHES_PER_WORKER * workers);
    const one = await loadClosed(singles, BATCH);
    if (turn < 0) continue; // compiles the code of both
    arrow_batch_qps.push(significant((BATCH * many.requests) / many.seconds));
    single_binary_qps.push(significant(one.requests / one.seconds));
  }
  const ratio = significant(median(arrow_batch_qps.map((qps, turn) => qps / single_binary_qps[turn]!)));
  return { size: BATCH, workers, k, arrow_batch_qps, single_binary_qps, ratio };
}
