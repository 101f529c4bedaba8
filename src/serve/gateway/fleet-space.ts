/** The shards of other servers as a search space. */
import type { JsonValue } from '../../arrow/column-value.js';
import type { ExplainedItem } from '../../retrieve/search/explained-ids.js';
import type { SearchWork } from '../../retrieve/search/needs.js';
import type { SeedQuery } from '../../retrieve/search/search-options.js';
import type { BestScore, ItemFacts, ItemRank, ScoredItem, SearchSpace } from '../../retrieve/search/search-space.js';
import {
  readFactsAnswer,
  readRanksAnswer,
  writeFactsRequest,
  writeRanksRequest,
  type ItemRanks,
} from '../fleet/items-message.js';
import { readCountAnswer, writeCountRequest, type CountAnswer } from '../fleet/search-message.js';
import type { FleetPlan } from './fleet-plan.js';
import { shardsUnavailable, type FleetRequest } from './fleet-request.js';
import { packVectors } from './pack-vectors.js';

export class FleetSpace implements SearchSpace<FleetPlan> {
  readonly sizes: readonly number[];
  readonly facts: ItemFacts<FleetPlan>;

  constructor(private readonly request: FleetRequest) {
    this.sizes = request.version.manifest.shards.map(({ count }) => count);
    this.facts = new FleetFacts(request);
  }

  allowed(plan: FleetPlan, shard: number): number {
    return plan.allowed[shard]!;
  }

  *leaveOut(plan: FleetPlan, values: readonly JsonValue[]): SearchWork<FleetPlan, FleetPlan> {
    const own = { selfs: plan.own.selfs, values };
    const { groups } = this.request.version;
    let answers: readonly (CountAnswer | null)[] = [];
    const count = (group: number) => {
      const body = writeCountRequest({ selection: this.request.selectionOf(group), ...own });
      const read = (bytes: Buffer) => readCountAnswer(bytes, groups[group]!.shards.length);
      return this.request.ask(group, 'count', body, read);
    };
    const call = async () => {
      answers = await Promise.all([...groups.keys()].map(count));
    };
    yield { kind: 'call', call };
    if (!answers.every((answer) => answer === null || answer.isLeftOut)) return plan;
    const allowed = [...plan.allowed];
    for (const [group, answer] of answers.entries())
      for (const [i, shard] of groups[group]!.shards.entries())
        if (answer !== null) allowed[shard] = answer.allowed[i]!;
    return { ...plan, allowed, own, selfMatches: [] };
  }
}

class FleetFacts implements ItemFacts<FleetPlan> {
  constructor(private readonly request: FleetRequest) {}

  *scores(
    plan: FleetPlan,
    queries: readonly SeedQuery[],
    items: readonly ExplainedItem[],
  ): SearchWork<readonly BestScore[], FleetPlan> {
    const scores: BestScore[] = [];
    const { request } = this;
    const asked = [...request.version.groups.keys()].flatMap((group) => {
      const own = [...items.keys()].filter((i) => request.version.groupOf(items[i]!.shard) === group);
      return own.length === 0 ? [] : [{ group, own }];
    });
    const ask = async ({ group, own }: (typeof asked)[number]) => {
      const ordinals = Uint32Array.from(own, (i) => items[i]!.ordinal);
      const body = writeFactsRequest({ ...this.common(group, plan, queries), ordinals });
      const found = await request.ask(group, 'facts', body, (bytes) => readFactsAnswer(bytes, own.length));
      if (found === null) throw shardsUnavailable(request.version.manifest, request.version.groups[group]!.shards);
      for (const [i, score] of found.entries()) scores[own[i]!] = score;
    };
    yield { kind: 'call', call: () => all(asked.map(ask)) };
    return scores;
  }

  *ranks(
    plan: FleetPlan,
    queries: readonly SeedQuery[],
    items: readonly ScoredItem[],
  ): SearchWork<readonly ItemRank[], FleetPlan> {
    const { request } = this;
    const { version } = request;
    const ranks = items.map(() => ({ rank: 1, rankAllowed: 1, reached: false }));
    const add = (found: readonly ItemRanks[]) => {
      for (const [i, { all, allowed, reached }] of found.entries()) {
        ranks[i]!.rank += all;
        ranks[i]!.rankAllowed += allowed;
        if (reached !== null) ranks[i]!.reached = reached;
      }
    };
    const ask = async (group: number) => {
      const asked = items.map(({ item, ...score }) => {
        return { ...score, ordinal: item.ordinal, isOwn: version.groupOf(item.shard) === group };
      });
      const body = writeRanksRequest({ ...this.common(group, plan, queries), items: asked });
      add((await request.ask(group, 'ranks', body, (bytes) => readRanksAnswer(bytes, items.length))) ?? []);
    };
    yield { kind: 'call', call: () => all([...version.groups.keys()].map(ask)) };
    return ranks;
  }

  /** Only a server knows the item's vector. */
  scoreNow(): null {
    return null;
  }

  private common(group: number, { own, minScore }: FleetPlan, queries: readonly SeedQuery[]) {
    return {
      selection: this.request.selectionOf(group),
      own,
      minScore,
      queries: packVectors(queries.map(({ query }) => query)),
      weights: queries.map(({ weight }) => weight),
    };
  }
}

async function all(answers: readonly Promise<void>[]): Promise<void> {
  await Promise.all(answers);
}
