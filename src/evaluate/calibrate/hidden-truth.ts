/**
 * The truth of a calibration: the nearest allowed rows of each query, found by scans of all float32 values. Scans run
 * when needed: a query that was scanned for 1,000 neighbours needs no scan for 10.
 */
import { TRUTH_QUERIES_PER_PASS } from '../../base/limits.js';
import type { ExactSearch } from '../../engine/exact-search.js';
import type { Candidates } from '../../retrieve/search/answer.js';
import { ordinalsOf } from '../../retrieve/search/local-shards.js';
import { mergeParts } from '../../retrieve/search/shard-answer.js';
import type { Trial } from './trial.js';

export class TruthOnDemand {
  private readonly known: { readonly k: number; readonly neighbors: Candidates }[] = [];

  constructor(
    private readonly trial: Trial,
    private readonly pool: ExactSearch,
    private readonly signal?: AbortSignal,
  ) {}

  /** At least the k nearest rows of the first `count` queries; fewer if fewer rows are allowed. */
  async find(count: number, k: number): Promise<readonly Candidates[]> {
    for (let from = 0; from < count;) {
      const to = await this.endOfMissing(from, count, k);
      if (to > from) await this.scan(from, to, k);
      from = Math.max(to, from + 1);
    }
    return this.known.slice(0, count).map(({ neighbors }) => neighbors);
  }

  /** The end of the queries from `from` that need a scan, belong to one group and fit into one pass. */
  private async endOfMissing(from: number, count: number, k: number): Promise<number> {
    const { group } = await this.trial.searchSpaceOf(from);
    const max = Math.min(count, group.to, from + TRUTH_QUERIES_PER_PASS);
    let to = from;
    while (to < max && (this.known[to]?.k ?? 0) < k) to++;
    return to;
  }

  private async scan(from: number, to: number, k: number): Promise<void> {
    const { version, queries } = this.trial;
    const { dim } = version.manifest;
    const { allow } = await this.trial.searchSpaceOf(from);
    const shards = version.shards.map(({ graph }) => graph.vectors);
    const options = { k, allow: allow ?? undefined, signal: this.signal };
    const vectors = queries.vectors.slice(from * dim, to * dim);
    const found = await this.pool.search(shards, vectors, to - from, options);
    for (const [i, answers] of found.entries()) {
      const parts = answers.map(({ rows, scores }, shard) => ({
        ordinals: ordinalsOf(version.shards[shard]!, rows),
        scores,
      }));
      this.known[from + i] = { k, neighbors: mergeParts(parts, k) };
    }
  }
}
