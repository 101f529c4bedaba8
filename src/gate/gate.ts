/**
 * The gate: the checks that a version must pass before it is published. Takes the name of a version; compares it with
 * the live version if there is one; returns a verdict with a value and a limit for each check. Throws only if a check
 * cannot run, not for a version that fails.
 *
 *   checks.ts             what is checked, and the default limits
 *   limits-file.ts        gate.json, the limits of one index
 *   compare-manifests.ts  schema, rows, rejects, graphs
 *   compare-attributes.ts values that are missing, categories that vanish, numbers that shift
 *   compare-numbers.ts    how two distributions of numbers differ
 *   compare-dates.ts      how two distributions of dates differ
 *   compare-texts.ts      texts that many rows have
 *   compare-kept-numbers.ts   items whose numbers changed
 *   compare-values.ts     items whose categories or texts changed
 *   check-duplicates.ts   equal vectors
 *   compare-vectors.ts    ids that come and go, vectors that move
 *   check-recall.ts       recall against exact search
 *   compare-answers.ts    what searches return
 *   drift.ts              for `diff`: the same figures of contents, without limits
 *   explain-diff.ts       for `diff`: why the answers differ
 */
import { ShortlistError } from '../base/errors.js';
import { didYouMean } from '../base/nearest-name.js';
import { EventLoopYielder } from '../base/event-loop-yielder.js';
import { openExactSearch } from '../engine/exact-search.js';
import type { OnStageProgress } from '../evaluate/evaluate.js';
import { noteTruthCache } from '../evaluate/truth-cache.js';
import { loadVersion, type LoadedVersion } from '../retrieve/load/loaded-version.js';
import { verifyVersion } from '../retrieve/load/verify.js';
import type { Manifest } from '../version/sealed/manifest.js';
import { nodeFiles, type FileSystem } from '../version/disk/files.js';
import { findManifest } from '../version/sealed/manifest-file.js';
import { readCurrent, readHistory, readNote } from '../version/state/catalog.js';
import { checkDuplicates } from './check-duplicates.js';
import { checkRecall } from './check-recall.js';
import { compareAnswers, readRecorded } from './compare-answers.js';
import { compareAttributes, groupAttributes, type ComparedAttributes } from './compare-attributes.js';
import { checkManifest, compareManifests, isRepeat } from './compare-manifests.js';
import { checkVectors, compareRows } from './compare-vectors.js';
import { readLimits, type GateLimits } from './limits-file.js';
import { Report } from './report.js';
import { verdictOf, type GateVerdict } from './verdict.js';

export interface GateOptions {
  /** Least recall at each k and under each filter; default: the limit in gate.json. */
  readonly minRecall?: number | undefined;
  /** Files of recorded queries; default: those of gate.json. */
  readonly queries?: readonly string[] | undefined;
  readonly vectorColumn?: string | undefined;
  /** Filters whose recall is measured, besides those of gate.json. */
  readonly filters?: readonly unknown[] | undefined;
  /** The version has vectors of a new model: comparisons of vectors with the live version are skipped. */
  readonly newEmbedding?: boolean | undefined;
  /** Whether the truth may be stored in the version's notes; default true. */
  readonly keepsTruth?: boolean | undefined;
  /** The version to compare with, null for none; default: the published one of the root. */
  readonly live?: string | null | undefined;
  /** Where gate.json is, if not beside the version. */
  readonly limitsFrom?: { readonly root: string; readonly files: FileSystem } | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnStageProgress | undefined;
}

/** @throws bad_gate_file, index_not_found, version_not_found; the signal's reason when it is aborted */
export async function runGate(
  root: string,
  index: string,
  version: string,
  options: GateOptions = {},
): Promise<GateVerdict> {
  const { root: limitsRoot, files } = options.limitsFrom ?? { root, files: nodeFiles };
  const limits = withOptions(await readLimits(limitsRoot, index, files), options);
  const report = new Report(limits, options.newEmbedding ?? false);
  const liveName = options.live === undefined ? await findReference(root, index, version) : options.live;
  await checkSound(root, index, version, report, options);
  let contentSince: string | undefined;
  // A damaged version is not loaded: its figures would mean nothing.
  if (report.checks[0]!.pass) {
    const opened: LoadedVersion[] = [];
    try {
      const open = async (name: string): Promise<LoadedVersion> => {
        const loaded = await loadVersion(root, index, name, { signal: options.signal });
        opened.push(loaded);
        return loaded;
      };
      const candidate = await open(version);
      // Queries that were named now must be readable; remembered ones only warn.
      if (options.queries !== undefined) await readRecorded(candidate, report);
      const live = liveName === null ? null : await openReference(open, liveName, report);
      const repeated = await findRepeated(root, candidate.manifest, live?.manifest ?? null);
      await checkLoaded(root, candidate, live, repeated, report, options);
      contentSince = await findContentSince(root, candidate.manifest, repeated);
    } finally {
      for (const loaded of opened) loaded.close();
    }
  }
  const { checks } = report;
  return verdictOf({ live: liveName, checks, ...(contentSince !== undefined && { content_since: contentSince }) });
}

function withOptions(limits: GateLimits, options: GateOptions): GateLimits {
  const { minRecall, queries, vectorColumn, filters = [] } = options;
  const atLeast = { warn: null, fail: { min: minRecall } };
  return {
    ...limits,
    filters: [...limits.filters, ...filters],
    ...(queries !== undefined && { queries, vectorColumn: vectorColumn ?? null }),
    ...(minRecall !== undefined && { checks: { ...limits.checks, recall: atLeast, recall_filtered: atLeast } }),
  };
}

/** The version to compare with: the published one, or what was published before if it is the version itself. */
async function findReference(root: string, index: string, version: string): Promise<string | null> {
  const current = await readCurrent(root, index);
  return current?.version === version ? current.previous : (current?.version ?? null);
}

/** Null if the live version cannot be opened: its damage is no fault of the new one, which may be its repair. */
async function openReference(
  open: (name: string) => Promise<LoadedVersion>,
  name: string,
  report: Report,
): Promise<LoadedVersion | null> {
  try {
    const live = await open(name);
    report.add('live', { value: 0 });
    return live;
  } catch (error) {
    if (!(error instanceof ShortlistError) || error.code === 'interrupted') throw error;
    report.add('live', { value: 1, detail: error.message });
    return null;
  }
}

/** Published versions that are looked through for a repetition. */
const MAX_REPEATS = 100;

/**
 * The version that this one repeats: the live one, or one that was published before it, the newest first. A feed can
 * return to a file of some nights ago.
 */
async function findRepeated(root: string, manifest: Manifest, live: Manifest | null): Promise<Manifest | null> {
  const { index, version } = manifest;
  if (live !== null && isRepeat(manifest, live)) return live;
  const published = (await readHistory(root, index)).map((move) => move.version).reverse();
  for (const name of [...new Set(published)].slice(0, MAX_REPEATS)) {
    if (name === version) continue;
    const old = await findManifest(root, index, name, nodeFiles).catch(() => null);
    if (old !== null && isRepeat(manifest, old)) return old;
  }
  return null;
}

/** A version that repeats another has its age. */
async function findContentSince(root: string, manifest: Manifest, repeated: Manifest | null): Promise<string> {
  if (repeated === null) return manifest.created_at;
  const gate = await readNote(root, repeated.index, repeated.version, 'gate').catch(() => null);
  const since = gate?.['content_since'];
  return typeof since === 'string' ? since : repeated.created_at;
}

async function checkSound(
  root: string,
  index: string,
  version: string,
  report: Report,
  { onProgress, signal }: GateOptions,
): Promise<void> {
  const problems = await verifyVersion(root, index, version, {
    signal,
    onProgress: (done, total) => onProgress?.('verify', done, total, 'bytes'),
  });
  const first = problems[0];
  report.add('verify', { value: problems.length, ...(first && { detail: first.message }) });
}

async function checkLoaded(
  root: string,
  candidate: LoadedVersion,
  live: LoadedVersion | null,
  repeated: Manifest | null,
  report: Report,
  options: GateOptions,
): Promise<void> {
  const { signal, onProgress, keepsTruth = true } = options;
  const turns = new EventLoopYielder(signal);
  if (live !== null) compareManifests(candidate.manifest, live.manifest, repeated, report);
  checkManifest(candidate.manifest, live?.manifest ?? null, report);
  const attributes = await checkAttributes(candidate, live, report, turns);
  onProgress?.('compare', 1, 4, 'steps');
  const { groups } = attributes;
  await checkDuplicates(candidate, live, groups, report, turns);
  const meanDistance = await checkVectors(candidate, live, report, turns);
  onProgress?.('compare', 3, 4, 'steps');
  if (live !== null) await compareRows(candidate, live, attributes, meanDistance, report, turns);
  onProgress?.('compare', 4, 4, 'steps');
  const pool = openExactSearch();
  try {
    const cache = keepsTruth ? noteTruthCache(root, candidate.manifest) : undefined;
    await checkRecall(candidate, report, { pool, cache, groups, turns, signal, onProgress });
  } finally {
    await pool.close();
  }
  await compareAnswers(candidate, live, report, { turns, signal, onProgress });
}

async function checkAttributes(
  candidate: LoadedVersion,
  live: LoadedVersion | null,
  report: Report,
  turns: EventLoopYielder,
): Promise<ComparedAttributes> {
  const { attributes: chosen, ignore } = report.limits;
  for (const [member, names] of [
    ['attributes', chosen ?? []],
    ['ignore', ignore],
  ] as const)
    requireAttributes(member, names, candidate, live);
  const isChosen = (name: string): boolean => !ignore.includes(name) && (chosen === null || chosen.includes(name));
  if (live !== null) return compareAttributes(candidate.attributes, live.attributes, isChosen, report, turns);
  return { names: [], groups: await groupAttributes(candidate.attributes, isChosen, turns) };
}

/** @throws bad_gate_file */
function requireAttributes(
  member: 'attributes' | 'ignore',
  chosen: readonly string[],
  candidate: LoadedVersion,
  live: LoadedVersion | null,
): void {
  const known = [...(candidate.attributes?.names ?? []), ...(live?.attributes?.names ?? [])];
  const unknown = chosen.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const message = `gate.json names ${JSON.stringify(unknown)} in "${member}", an attribute which the index does not have${didYouMean(unknown, known)}`;
  throw new ShortlistError('bad_gate_file', message, { field: member, attribute: unknown });
}
