/** `prepare` and `count`: what a gateway must know before it searches, or searches deeper. */
import type { Work } from '../../base/work.js';
import { mayReturn } from '../../retrieve/search/allowed-rows.js';
import type { ExplainedId } from '../../retrieve/search/explained-ids.js';
import type { SearchPlan } from '../../retrieve/search/search-plan.js';
import { readPrepareRequest, UNKNOWN, writePrepareAnswer, type ItemColumns } from '../fleet/prepare-message.js';
import { readCountRequest, writeCountAnswer } from '../fleet/search-message.js';
import { countRows, planOwn, planSelection } from './leaf-plan.js';
import type { LeafTools } from './leaf-tools.js';
import type { LeafVersion } from './leaf-version.js';

export async function prepare(tools: LeafTools, body: Buffer): Promise<Buffer> {
  const { selection, counts, ids, whyNot } = readPrepareRequest(body);
  const { leaf, turns, limit, memory } = tools;
  const plan = await planSelection(tools, selection, whyNot);
  memory.grow(4 * ids.length * leaf.version.manifest.dim);
  const items = await turns.runWork(limit, findItems(leaf, plan, ids));
  return writePrepareAnswer({
    allowed: counts ? countRows(leaf, plan) : new Uint32Array(0),
    filter: plan.filter,
    items,
    explained: (plan.explainedIds ?? []).map((one) => explained(leaf, one)),
  });
}

export async function count(tools: LeafTools, body: Buffer): Promise<Buffer> {
  const { selection, ...own } = readCountRequest(body);
  const base = await planSelection(tools, selection);
  const { plan, isLeftOut } = await planOwn(tools, base, own);
  return writeCountAnswer({ allowed: countRows(tools.leaf, plan), isLeftOut });
}

/** May pause after each item, since its vector is read from memory that others use too. */
function* findItems(leaf: LeafVersion, plan: SearchPlan, ids: readonly string[]): Work<ItemColumns> {
  const { version } = leaf;
  const { dim } = version.manifest;
  const items = {
    ordinals: new Uint32Array(ids.length).fill(UNKNOWN),
    shards: new Uint32Array(ids.length),
    rows: new Uint32Array(ids.length),
    mayReturn: new Uint8Array(ids.length),
    vectors: new Float32Array(ids.length * dim),
  };
  for (const [i, id] of ids.entries()) {
    if (i > 0) yield;
    const ordinal = version.ordinalOf(id);
    if (ordinal < 0) continue;
    const place = version.locate(ordinal);
    items.ordinals[i] = leaf.toInput(ordinal);
    items.shards[i] = leaf.shards[place.shard]!;
    items.rows[i] = place.row;
    items.mayReturn[i] = mayReturn(plan, place) ? 1 : 0;
    items.vectors.set(version.vectorOf(ordinal), i * dim);
  }
  return items;
}

function explained(leaf: LeafVersion, { id, item }: ExplainedId): ExplainedId {
  if (item === null) return { id, item };
  return { id, item: { ...item, ordinal: leaf.toInput(item.ordinal), shard: leaf.shards[item.shard]! } };
}
