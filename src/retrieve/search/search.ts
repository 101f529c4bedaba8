/**
 * A search: one query, or several with one answer, over the shards of a version.
 *
 * Takes checked queries (query.ts) and a plan (search-plan.ts). Returns ordinals and scores, best first, with a
 * description of their quality. One query searches all shards (shard-search.ts). With crowding or several queries, each
 * query is searched as deep as the merge of all candidates needs (blend.ts). Then why-not.ts explains ids that were not
 * returned. The search yields what it needs (needs.ts), and a driver provides it (run-search.ts).
 */
import type { Answer } from './answer.js';
import { blend, blendPartial, type BlendTask, type SearchStep } from './blend.js';
import { planDeeper } from './deeper-plan.js';
import type { Need, SearchWork } from './needs.js';
import type { SeedQuery } from './search-options.js';
import type { QueryPlan } from './search-plan.js';
import type { SearchSpace } from './search-space.js';
import { ShardRounds } from './shard-search.js';
import { addReasons, addPartialReasons } from './why-not.js';

/** Candidates of seeds name their seed, even if there is only one. */
export type QueryKind = 'single' | 'seeds';

export class Search<Plan extends QueryPlan> {
  private readonly steps: SearchWork<Answer, Plan>;
  private readonly task: BlendTask<Plan> | null;
  /** For each query: its latest search, and the answer of the latest one that ended. */
  private readonly rounds: ShardRounds<Plan>[] = [];
  private readonly answers: Answer[] = [];
  private found: Answer | null = null;

  /** @param plan leaves out the items that are queries (`planQuery`) */
  constructor(
    private readonly space: SearchSpace<Plan>,
    private readonly plan: Plan,
    private readonly queries: readonly SeedQuery[],
    private readonly kind: QueryKind = 'single',
  ) {
    this.task = kind === 'seeds' || plan.crowding !== null ? this.blendTask() : null;
    this.steps = this.run();
  }

  /** Continues until it needs something or pauses. Call again once the need is met. */
  next(): IteratorResult<Need<Plan> | undefined, Answer> {
    return this.steps.next();
  }

  /** The best answer from what was found; `short` is `timeout` unless the search was complete. */
  partialAnswer(): Answer {
    const { space, plan, queries, task } = this;
    const latest = () => queries.map((_, source) => this.latest(source));
    const answer = this.found ?? (task === null ? this.latest(0) : this.formatAnswer(blendPartial(task, latest())));
    return addPartialReasons({ space, plan, queries, answer });
  }

  private *run(): SearchWork<Answer, Plan> {
    const { space, plan, queries, task } = this;
    const answer = task === null ? yield* this.searchShards(0, plan) : this.formatAnswer(yield* blend(task));
    this.found = answer;
    if (plan.explainedIds === null) return answer;
    return yield* addReasons({ space, plan, queries, answer });
  }

  private *searchStep({ source, depth, without }: SearchStep): SearchWork<Answer, Plan> {
    const plan = planDeeper(this.plan, depth);
    return yield* this.searchShards(source, without.length === 0 ? plan : yield* this.space.leaveOut(plan, without));
  }

  private *searchShards(source: number, plan: Plan): SearchWork<Answer, Plan> {
    const seed = this.kind === 'seeds' ? source : undefined;
    this.rounds[source] = new ShardRounds(this.space, this.queries[source]!.query, plan, seed);
    this.answers[source] = yield* this.rounds[source].run();
    return this.answers[source];
  }

  private blendTask(): BlendTask<Plan> {
    const { k, minScore, crowding, available } = this.plan;
    const sources = this.queries.map(({ query, weight, quota }) => ({ query, weight, quota: quota ?? k }));
    const allowed = this.space.sizes.reduce((sum, _, shard) => sum + this.space.allowed(this.plan, shard), 0);
    return { k, minScore, crowding, available, allowed, sources, search: (step) => this.searchStep(step) };
  }

  private latest(source: number): Answer {
    const { query } = this.queries[source]!;
    const rounds = this.rounds[source] ?? new ShardRounds(this.space, query, this.plan);
    return this.answers[source] ?? rounds.partialAnswer();
  }

  private formatAnswer({ seeds, seedScores, ...answer }: Answer): Answer {
    return this.kind === 'seeds' ? { ...answer, seeds: seeds!, seedScores: seedScores! } : answer;
  }
}
