/** `facts` and `ranks`: of items to explain, against the rows of this leaf's shards. */
import type { Work } from '../../base/work.js';
import { LocalFacts } from '../../retrieve/search/local-facts.js';
import type { SeedQuery } from '../../retrieve/search/search-options.js';
import type { SearchPlan } from '../../retrieve/search/search-plan.js';
import {
  readFactsRequest,
  readRanksRequest,
  writeFactsAnswer,
  writeRanksAnswer,
  type FactsRequest,
  type ItemRanks,
  type RanksRequest,
} from '../fleet/items-message.js';
import { planOwn, planSelection } from './leaf-plan.js';
import type { LeafTools } from './leaf-tools.js';
import type { LeafVersion } from './leaf-version.js';

export async function facts(tools: LeafTools, body: Buffer): Promise<Buffer> {
  const { leaf, turns, limit } = tools;
  const request = readFactsRequest(body, leaf.version.manifest.dim);
  const plan = await planItems(tools, request);
  const items = Array.from(leaf.toLocals(request.ordinals), (ordinal) => ({
    ordinal,
    ...leaf.version.locate(ordinal),
  }));
  const scores = new LocalFacts(leaf.version.shards).scores(plan, queriesOf(leaf, request), items);
  return writeFactsAnswer(await turns.runWork(limit, scores));
}

export async function ranks(tools: LeafTools, body: Buffer): Promise<Buffer> {
  const { leaf, turns, limit } = tools;
  const request = readRanksRequest(body, leaf.version.manifest.dim);
  const plan = await planItems(tools, request);
  return writeRanksAnswer(await turns.runWork(limit, rankItems(leaf, plan, request)));
}

function* rankItems(leaf: LeafVersion, plan: SearchPlan, request: RanksRequest): Work<ItemRanks[]> {
  const local = new LocalFacts(leaf.version.shards);
  const items = request.items.map((item) => ({ ...item, item: { ordinal: leaf.rankOf(item.ordinal) } }));
  const ahead = yield* local.countAhead(plan, queriesOf(leaf, request), items);
  const found: ItemRanks[] = [];
  for (const [i, { ordinal, isOwn }] of request.items.entries()) {
    const reached = isOwn ? local.isReached(leaf.version.locate(leaf.toLocals(Uint32Array.of(ordinal))[0]!)) : null;
    found.push({ ...ahead[i]!, reached });
    yield; // each needs a graph walk
  }
  return found;
}

async function planItems(tools: LeafTools, { selection, own, minScore }: FactsRequest | RanksRequest) {
  const { plan } = await planOwn(tools, await planSelection(tools, selection), own);
  return { ...plan, minScore };
}

function queriesOf({ version }: LeafVersion, { queries, weights }: FactsRequest | RanksRequest): SeedQuery[] {
  const { dim } = version.manifest;
  return weights.map((weight, i) => ({ query: queries.subarray(i * dim, (i + 1) * dim), weight }));
}
