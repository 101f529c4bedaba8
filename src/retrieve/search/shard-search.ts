/**
 * Searches all shards of a version for one query, merges, and searches again where a shard may hold more.
 *
 * Rows are spread over shards by a hash, so each shard is searched for its share of k and ef plus a margin
 * (shard-share.ts). A shard whose last candidate is among the k best may hold more of them and is searched deeper. The
 * answer is the same as if every shard had been searched for all k, whatever the order in which shards answer.
 */
import { isBetter } from '../../base/top-k.js';
import type { Answer, Candidates } from './answer.js';
import { answerOf, explainPart, mergeParts, type Trace } from './shard-answer.js';
import { EMPTY_PART, type SearchWork, type ShardPart, type ShardSearch } from './needs.js';
import type { QueryPlan } from './search-plan.js';
import type { SearchSpace } from './search-space.js';
import { deeperDepth, firstDepth, type Depth } from './shard-share.js';

/** A query, its plan, and what its shards have found. */
export class ShardRounds<Plan extends QueryPlan> {
  private searches: readonly ShardSearch<Plan>[] = [];
  /** By shard: the number of rows that may be returned. */
  private readonly allowed: readonly number[];
  private readonly trace: Trace | undefined;

  /** @param source position of the seed; undefined without seeds */
  constructor(
    private readonly space: SearchSpace<Plan>,
    private readonly query: Float32Array,
    private readonly plan: Plan,
    source?: number,
  ) {
    this.allowed = space.sizes.map((_, shard) => space.allowed(plan, shard));
    this.trace = plan.explain ? { shards: [], begun: performance.now(), mergeMs: 0, source } : undefined;
  }

  *run(): SearchWork<Answer, Plan> {
    const total = this.allowed.reduce((sum, allowed) => sum + allowed, 0);
    this.searches = this.allowed.map((allowed, shard) => {
      const depth = this.plan.exact ? this.plan : firstDepth(this.plan, allowed, total);
      return this.createSearch(shard, depth);
    });
    let asked = this.searches.filter(({ part }) => part === null);
    for (;;) {
      if (asked.length > 0) yield { kind: 'shards', searches: asked };
      this.recordTrace(asked);
      const best = this.merge();
      asked = this.deepen(best);
      if (asked.length === 0) return answerOf(this.plan, this.parts, best, this.trace);
    }
  }

  /** The best of the shards that have answered; `short` is `timeout` if some have not. */
  partialAnswer(): Answer {
    const parts = this.searches.length === 0 ? this.allowed.map(() => null) : this.parts;
    const answer = answerOf(this.plan, parts, mergeParts(parts, this.plan.k), this.trace);
    if (!parts.includes(null)) return answer;
    return { ...answer, quality: { ...answer.quality, short: 'timeout' } };
  }

  private get parts(): (ShardPart | null)[] {
    return this.searches.map(({ part }) => part);
  }

  private createSearch(shard: number, { k, ef }: Depth): ShardSearch<Plan> {
    const { query, plan } = this;
    const allowed = this.allowed[shard]!;
    const part = allowed === 0 ? EMPTY_PART : null;
    return { query, shard, k, ef, allowed, exact: plan.exact, plan, part };
  }

  private recordTrace(asked: readonly ShardSearch<Plan>[]): void {
    if (this.trace === undefined) return;
    for (const search of asked) {
      const { shard } = search;
      this.trace.shards.push(explainPart(search, this.space.sizes[shard]!, this.trace));
    }
  }

  private merge(): Candidates {
    const begun = performance.now();
    const best = mergeParts(this.parts, this.plan.k);
    if (this.trace !== undefined) this.trace.mergeMs += performance.now() - begun;
    return best;
  }

  /** Replaces the searches of shards that may hold more by searches twice as deep, and returns those. */
  private deepen(best: Candidates): ShardSearch<Plan>[] {
    const asked: ShardSearch<Plan>[] = [];
    const next = this.searches.map((search) => {
      if (!mayHoldMore(search.part!, this.plan, best)) return search;
      const deeper = this.createSearch(search.shard, deeperDepth(this.plan, search.part!.ordinals.length));
      asked.push(deeper);
      return deeper;
    });
    if (asked.length > 0) this.searches = next;
    return asked;
  }
}

/** Returns true if the shard's last candidate is among the best, so that its next one may be too. */
function mayHoldMore({ ordinals, scores, complete }: ShardPart, { k, minScore }: QueryPlan, best: Candidates): boolean {
  const last = ordinals.length - 1;
  if (complete || ordinals.length >= k || scores[last]! < minScore) return false;
  if (best.scores.length < k) return true;
  return isBetter(scores[last]!, ordinals[last]!, best.scores[k - 1]!, best.ordinals[k - 1]!);
}
