/**
 * Plans of a leaf: the rows of its shards that a request, and then each of its queries, may return. Depths come from
 * the gateway, so k and ef here are never used.
 */
import { countAllowed } from '../../retrieve/search/allowed-rows.js';
import { LocalSpace } from '../../retrieve/search/local-space.js';
import { planQuery, planSearchInSlices, type SearchPlan } from '../../retrieve/search/search-plan.js';
import { FrameError } from '../fleet/frame.js';
import type { OwnSelection, Selection } from '../fleet/selection.js';
import type { LeafTools } from './leaf-tools.js';
import type { LeafVersion } from './leaf-version.js';

/** @throws as planSearch, for the filter, the exclusions and the crowding */
export function planSelection(
  { leaf, turns, limit }: LeafTools,
  { filter, excludeIds, crowding }: Selection,
  whyNot: readonly string[] = [],
): Promise<SearchPlan> {
  const options = {
    k: 1,
    ef: 1,
    ...(filter !== undefined && { filter }),
    excludeIds,
    ...(crowding !== undefined && { crowding }),
    ...(whyNot.length > 0 && { whyNot }),
  };
  return turns.runWork(limit, planSearchInSlices(leaf.version, options));
}

/** The plan of one query. `isLeftOut` is false if no filter can express the values. */
export function planOwn(
  tools: LeafTools,
  base: SearchPlan,
  own: OwnSelection,
): Promise<{ readonly plan: SearchPlan; readonly isLeftOut: boolean }> {
  return tools.turns.runWork(tools.limit, narrow(tools.leaf, base, own));
}

function* narrow(leaf: LeafVersion, base: SearchPlan, { selfs, values }: OwnSelection) {
  const locals = selfs.map((self) => leaf.toLocal(self)).filter((self) => self >= 0);
  const plan = planQuery(leaf.version, base, locals);
  if (values.length === 0) return { plan, isLeftOut: true };
  if (plan.crowding === null) throw new FrameError('leaves out values of no attribute');
  const space = new LocalSpace(leaf.version);
  const narrowed = yield* space.leaveOut(plan, values);
  return { plan: narrowed, isLeftOut: narrowed !== plan };
}

/** For each shard of the leaf the rows that may be returned. */
export function countRows(leaf: LeafVersion, plan: SearchPlan): Uint32Array {
  return Uint32Array.from(leaf.version.shards, ({ ordinals }, position) =>
    countAllowed(plan, position, ordinals.length),
  );
}
