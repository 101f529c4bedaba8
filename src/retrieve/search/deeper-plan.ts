/**
 * The plan of one of the deeper searches that a blend needs (blend.ts): a longer walk, or a scan. Rows that it may skip
 * are taken out by the shards' side (search-space.ts).
 */
import { MAX_EF, MAX_K } from '../../base/limits.js';
import type { QueryPlan } from './search-plan.js';

/** Largest ef per candidate: a plan for few candidates has a higher ratio, which many candidates do not need. */
const MAX_EF_PER_CANDIDATE = 2;

/** @param k candidates to find */
export function planDeeper<Plan extends QueryPlan>(plan: Plan, k: number): Plan {
  const perCandidate = Math.min(MAX_EF_PER_CANDIDATE, plan.ef / plan.k);
  const ef = Math.min(MAX_EF, Math.max(plan.ef, Math.ceil(perCandidate * k)));
  return { ...plan, k, ef, exact: plan.exact || k > MAX_K };
}
