/**
 * The one search: a query, or several with one answer, over the shards of a version.
 *
 * Takes checked queries (query.ts) and a plan (search-plan.ts); gives ordinals and scores in the contract's order with
 * an account of how good the answer is. One query is asked of all shards (shard-search.ts). Where candidates crowd each
 * other, or several queries have one answer, each query is searched as deep as the walk over all candidates needs
 * (blend.ts). Then it is explained what did not come back (why-not.ts). What a search needs on its way it asks for
 * (needs.ts), and whoever runs it sees to that (run-search.ts).
 */
import type { Answer } from './answer.js';
import { countAllowed } from './allowed-rows.js';
import { blend, blendPartial, type BlendTask, type SearchStep } from './blend.js';
import { planDeeper } from './deeper-plan.js';
import type { LocalShards } from './local-shards.js';
import type { Need, SearchWork } from './needs.js';
import type { SeedQuery } from './search-options.js';
import type { SearchPlan } from './search-plan.js';
import { ShardRounds } from './shard-search.js';
import { addReasons, addPartialReasons } from './why-not.js';

/** Whether queries are seeds: then candidates say which of them brought them, also where there is one. */
export type QueryKind = 'single' | 'seeds';

export class Search {
  private readonly sizes: readonly number[];
  private readonly steps: SearchWork<Answer>;
  private readonly task: BlendTask | null;
  /** Of each query, the newest search of it, and what the newest one that ended found. */
  private readonly rounds: ShardRounds[] = [];
  private readonly answers: Answer[] = [];
  /** All but explained. */
  private found: Answer | null = null;

  /** @param plan in which the queries are left out that are items (`planQuery`) */
  constructor(
    private readonly local: LocalShards,
    private readonly plan: SearchPlan,
    private readonly queries: readonly SeedQuery[],
    private readonly kind: QueryKind = 'single',
  ) {
    this.sizes = local.shards.map(({ ordinals }) => ordinals.length);
    this.task = kind === 'seeds' || plan.crowding !== null ? this.blendTask() : null;
    this.steps = this.run();
  }

  /** Goes on until something is needed, or until it pauses. To be called again when that is there. */
  next(): IteratorResult<Need | undefined, Answer> {
    return this.steps.next();
  }

  /** The best of what has been found; `short` is `timeout` unless that is all. */
  partialAnswer(): Answer {
    const { local, plan, queries, task } = this;
    const answer =
      this.found ?? (task === null ? this.latest(0) : this.formatAnswer(blendPartial(task, this.allLatest())));
    return addPartialReasons({ shards: local.shards, plan, queries, answer });
  }

  private *run(): SearchWork<Answer> {
    const { local, plan, queries, task } = this;
    const answer = task === null ? yield* this.searchShards(0, plan) : this.formatAnswer(yield* blend(task));
    this.found = answer;
    if (plan.explainedIds === null) return answer;
    return yield* addReasons({ shards: local.shards, plan, queries, answer });
  }

  private *searchStep(step: SearchStep): SearchWork<Answer> {
    const plan = yield* planDeeper(this.sizes, this.plan, step);
    return yield* this.searchShards(step.source, plan);
  }

  private *searchShards(source: number, plan: SearchPlan): SearchWork<Answer> {
    const seed = this.kind === 'seeds' ? source : undefined;
    this.rounds[source] = new ShardRounds(this.sizes, this.queries[source]!.query, plan, seed);
    this.answers[source] = yield* this.rounds[source].run();
    return this.answers[source];
  }

  private blendTask(): BlendTask {
    const { k, minScore, crowding, available } = this.plan;
    const sources = this.queries.map(({ query, weight, quota }) => ({ query, weight, quota: quota ?? k }));
    const allowed = this.sizes.reduce((sum, size, shard) => sum + countAllowed(this.plan, shard, size), 0);
    return { k, minScore, crowding, available, allowed, sources, search: (step) => this.searchStep(step) };
  }

  private latest(source: number): Answer {
    const { query } = this.queries[source]!;
    const nothing = () => new ShardRounds(this.sizes, query, this.plan);
    return this.answers[source] ?? (this.rounds[source] ?? nothing()).partialAnswer();
  }

  private allLatest(): Answer[] {
    return this.queries.map((_, source) => this.latest(source));
  }

  private formatAnswer({ seeds, seedScores, ...answer }: Answer): Answer {
    return this.kind === 'seeds' ? { ...answer, seeds: seeds!, seedScores: seedScores! } : answer;
  }
}
