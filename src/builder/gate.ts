/**
 * The gate: the checks that a version must pass before it is published. Takes the name of a version; returns a verdict
 * with a value and a limit for each check. Throws only if a check cannot run, not for a version that fails.
 */
import { ShortlistError } from '../base/errors.js';
import type { OnStageProgress } from '../evaluate/evaluate.js';
import { sampleRecall } from '../evaluate/sample-recall.js';
import { noteTruthCache } from '../evaluate/truth-cache.js';
import { openExactSearch } from '../engine/exact-search.js';
import { loadVersion, type LoadedVersion } from '../retrieve/load/loaded-version.js';
import { verifyVersion } from '../retrieve/load/verify.js';

/** Recall@100 below which rankers notice the difference; hnswlib's defaults reach 0.97 and more on real embeddings. */
export const DEFAULT_MIN_RECALL = 0.95;
const GATE_K = 100;
/** Sampled rows: at a mean recall near 0.95 the standard error is below 0.002. */
const GATE_QUERIES = 1000;
const GATE_SEED = 42;

/** Names are those of the JSON output. */
interface GateCheck {
  readonly name: string;
  readonly pass: boolean;
  readonly value: number;
  readonly limit: number;
  /** What failed, for people. */
  readonly detail?: string;
}

export interface GateVerdict {
  readonly pass: boolean;
  readonly checks: readonly GateCheck[];
}

export interface GateOptions {
  readonly minRecall: number;
  /** Whether the truth may be stored in the version's notes; default true. */
  readonly keepsTruth?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnStageProgress | undefined;
}

export async function runGate(
  root: string,
  index: string,
  version: string,
  options: GateOptions,
): Promise<GateVerdict> {
  const checks = [await checkSound(root, index, version, options)];
  // A damaged version is not loaded: its recall would mean nothing.
  if (checks[0]!.pass) checks.push(await checkRecall(root, index, version, options));
  return { pass: checks.every((check) => check.pass), checks };
}

async function checkSound(
  root: string,
  index: string,
  version: string,
  { onProgress, signal }: GateOptions,
): Promise<GateCheck> {
  const problems = await verifyVersion(root, index, version, {
    signal,
    onProgress: (done, total) => onProgress?.('verify', done, total, 'bytes'),
  });
  const first = problems[0];
  return {
    name: 'verify',
    pass: problems.length === 0,
    value: problems.length,
    limit: 0,
    ...(first && { detail: first.message }),
  };
}

async function checkRecall(root: string, index: string, name: string, options: GateOptions): Promise<GateCheck> {
  const { minRecall, keepsTruth = true, signal, onProgress } = options;
  const check = { name: `recall@${GATE_K}`, limit: minRecall };
  const pool = openExactSearch();
  let version: LoadedVersion | null = null;
  try {
    version = await loadVersion(root, index, name);
    const cache = keepsTruth ? noteTruthCache(root, version.manifest) : undefined;
    const sampling = { sample: GATE_QUERIES, seed: GATE_SEED, k: GATE_K };
    const { byDistance } = await sampleRecall(version, { ...sampling, pool, cache, signal, onProgress });
    return { ...check, pass: byDistance >= minRecall, value: byDistance };
  } catch (error) {
    if (!(error instanceof ShortlistError) || signal?.aborted === true) throw error;
    return { ...check, pass: false, value: 0, detail: error.message };
  } finally {
    version?.close();
    await pool.close();
  }
}

/** The reason of a refusal. @param gate one that did not pass */
export function describeRefusal({ checks }: GateVerdict): string {
  const failed = checks.find((check) => !check.pass);
  if (failed === undefined) return 'the gate did not pass';
  return failed.detail ?? `${failed.name} is ${formatGateValue(failed.value)} and the limit is ${failed.limit}`;
}

/** A recall with four places, a count unchanged. */
export function formatGateValue(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}
