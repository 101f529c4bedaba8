/**
 * How the contents of two versions differ: rows, settings, vectors and attributes, in numbers and without limits. For
 * `diff`, which shows next to the answers what they come from; the gate judges the same figures (compare-vectors.ts,
 * compare-attributes.ts). Vectors and quantiles are measured on samples.
 */
import type { EventLoopYielder } from '../base/event-loop-yielder.js';
import { NumberSample, round, type Distribution } from '../evaluate/diff/distribution.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import type { AttributeStore } from '../version/sealed/attribute-store.js';
import type { Manifest, Setting } from '../version/sealed/manifest.js';
import { typeName } from '../version/sealed/type-name.js';
import { tallyAttribute, type AttributeTally } from './attribute-tally.js';
import { countKept, measureDistance, measureNorm, vectorAt, visitKept, type KeptRow } from './compare-vectors.js';

/** A number of the old version and of the new one. */
interface Pair<T = number> {
  readonly from: T;
  readonly to: T;
}

interface RowDrift extends Pair {
  /** Ids that both versions have. */
  readonly kept: number;
  readonly entered: number;
  readonly left: number;
}

/** Of sampled ids that both versions have. */
interface VectorDrift {
  readonly ids: number;
  /** Share whose vectors are equal to the bit. Null if the metrics differ, since cosine scales vectors. */
  readonly identical: number | null;
  /** Share that moved far, as the gate defines it (compare-vectors.ts). Null if the metrics differ. */
  readonly moved: number | null;
  /** Of the old and the new vector; null if there are no such ids, or if the dimensions differ. */
  readonly cosine: { readonly p1: number; readonly p5: number; readonly p50: number; readonly mean: number } | null;
  /** Mean length of all vectors, as they came; null in versions of earlier releases. */
  readonly norm: Pair<number | null>;
}

interface ValueDrift extends Pair {
  readonly value: string;
  readonly change: number;
}

export interface AttributeDrift {
  readonly name: string;
  /** Null: the version does not have the attribute. */
  readonly type: Pair<string | null>;
  /** The rest is absent unless both versions have the attribute with one type. Share of the rows with a value. */
  readonly filled?: Pair;
  /** Of numbers. */
  readonly numbers?: Pair<Distribution | null>;
  /** Number of different values; absent if there are many. */
  readonly distinct?: Pair;
  /** Share of the rows that have a value, for the values whose share changed most. */
  readonly values?: readonly ValueDrift[];
}

/** Names are those of the JSON output. */
export interface Drift {
  readonly rows: RowDrift;
  /** Settings of the build that differ. */
  readonly settings: readonly (Pair<Setting> & { readonly name: string })[];
  /** True if all files but the manifest are equal. */
  readonly same_content: boolean;
  readonly vectors: VectorDrift;
  /** The greatest changes first. */
  readonly attributes: readonly AttributeDrift[];
  /** Attributes of texts or flags with few different values. */
  readonly categories: readonly string[];
}

/** Values listed of each attribute. */
const LISTED_VALUES = 5;
/** Attributes with more different values are no categories. */
const MAX_CATEGORIES = 50;

/** @param before the old version @param after the new one */
export async function measureDrift(
  before: LoadedVersion,
  after: LoadedVersion,
  turns: EventLoopYielder,
  onProgress?: (done: number, total: number) => void,
): Promise<Drift> {
  const kept = await countKept(after, before, turns);
  const [from, to] = [before.manifest.count, after.manifest.count];
  const attributes: RankedDrift[] = [];
  const names = new Set([...(before.attributes?.names ?? []), ...(after.attributes?.names ?? [])]);
  const vectors = await measureVectors(before, after, turns);
  onProgress?.(1, names.size + 1);
  for (const name of names) {
    attributes.push(await measureAttribute(before, after, name, turns));
    onProgress?.(attributes.length + 1, names.size + 1);
  }
  attributes.sort((a, b) => b.change - a.change);
  return {
    rows: { from, to, kept, entered: to - kept, left: from - kept },
    settings: compareSettings(before.manifest, after.manifest),
    same_content: before.manifest.content === after.manifest.content,
    vectors,
    attributes: attributes.map(({ drift }) => drift),
    categories: attributes.filter(({ isCategory }) => isCategory).map(({ drift }) => drift.name),
  };
}

function compareSettings(before: Manifest, after: Manifest): Drift['settings'] {
  const settingsOf = ({ id, metric, dim, engine, seed, shards }: Manifest): Map<string, Setting> =>
    new Map(
      Object.entries({
        id_type: id.type,
        metric,
        dim,
        engine: engine.name,
        ...engine.parameters,
        seed,
        shards: shards.length,
      }),
    );
  const [old, fresh] = [settingsOf(before), settingsOf(after)];
  const names = [...new Set([...old.keys(), ...fresh.keys()])];
  return names
    .map((name) => ({ name, from: old.get(name) ?? null, to: fresh.get(name) ?? null }))
    .filter(({ from, to }) => JSON.stringify(from) !== JSON.stringify(to));
}

async function measureVectors(
  before: LoadedVersion,
  after: LoadedVersion,
  turns: EventLoopYielder,
): Promise<VectorDrift> {
  const { dim } = after.manifest;
  const isComparable = before.manifest.metric === after.manifest.metric;
  const cosines = new NumberSample();
  let [ids, identical, moved] = [0, 0, 0];
  const visit = ({ ordinal, old, cosine, isMoved }: KeptRow): void => {
    ids++;
    cosines.add(cosine);
    if (isMoved) moved++;
    const [a, b] = [vectorAt(after, ordinal), vectorAt(before, old)];
    let i = 0;
    while (i < dim && a.values[a.at + i] === b.values[b.at + i]) i++;
    if (i === dim) identical++;
  };
  if (before.manifest.dim === dim) {
    await visitKept(after, before, await measureDistance(before, turns), turns, visit);
  }
  const quantiles = cosines.quantiles([0.01, 0.05, 0.5]);
  const share = (count: number): number | null => (isComparable && ids > 0 ? round(count / ids) : null);
  return {
    ids,
    identical: share(identical),
    moved: share(moved),
    cosine: quantiles && { p1: quantiles[0]!, p5: quantiles[1]!, p50: quantiles[2]!, mean: round(cosines.mean) },
    norm: { from: await roundedNorm(before, turns), to: await roundedNorm(after, turns) },
  };
}

async function roundedNorm(version: LoadedVersion, turns: EventLoopYielder): Promise<number | null> {
  const norm = await measureNorm(version, turns);
  return norm && round(norm);
}

interface RankedDrift {
  readonly drift: AttributeDrift;
  /** How much it changed, to sort by: a share, or standard deviations of numbers. */
  readonly change: number;
  readonly isCategory: boolean;
}

async function measureAttribute(
  before: LoadedVersion,
  after: LoadedVersion,
  name: string,
  turns: EventLoopYielder,
): Promise<RankedDrift> {
  const type = { from: typeIn(before.attributes, name), to: typeIn(after.attributes, name) };
  if (type.from !== type.to) return { drift: { name, type }, change: Infinity, isCategory: false };
  const [oldColumn, freshColumn] = [before.attributes!.column(name), after.attributes!.column(name)];
  const [old, fresh] = [await tallyAttribute(oldColumn, turns), await tallyAttribute(freshColumn, turns)];
  const filled = { from: filledOf(old), to: filledOf(fresh) };
  const values = compareCounts(old, fresh);
  const isNumeric = old.numbers !== null || fresh.numbers !== null;
  const numbers = isNumeric && { from: distributionOf(old), to: distributionOf(fresh) };
  const distinct = old.counts !== null && fresh.counts !== null && { from: old.counts.size, to: fresh.counts.size };
  const largest = distinct === false ? Infinity : Math.max(distinct.from, distinct.to);
  return {
    drift: {
      name,
      type,
      filled,
      ...(numbers !== false && { numbers }),
      ...(distinct !== false && { distinct }),
      ...(values !== null && { values: values.slice(0, LISTED_VALUES) }),
    },
    change: Math.max(Math.abs(filled.to - filled.from), Math.abs(values?.[0]?.change ?? 0), shiftOf(old, fresh)),
    isCategory: !isNumeric && largest > 1 && largest <= MAX_CATEGORIES,
  };
}

function typeIn(store: AttributeStore | null, name: string): string | null {
  const field = store?.fields.find((known) => known.name === name);
  return field === undefined ? null : typeName(field.type);
}

function filledOf({ filled, rows }: AttributeTally): number {
  return round(filled / Math.max(1, rows));
}

/** How far the mean moved, in standard deviations of the old version. */
function shiftOf({ numbers: old }: AttributeTally, { numbers: fresh }: AttributeTally): number {
  if (old === null || fresh === null || old.sample.length === 0 || fresh.sample.length === 0) return 0;
  const [mean, freshMean] = [meanOf(old.sample), meanOf(fresh.sample)];
  if (mean === freshMean) return 0;
  const deviation = Math.sqrt(meanOf(old.sample.map((value) => (value - mean) ** 2)));
  return deviation === 0 ? 1 : Math.abs(freshMean - mean) / deviation;
}

function meanOf(numbers: Float64Array): number {
  return numbers.reduce((sum, value) => sum + value / numbers.length, 0);
}

/** The change of every value's share, the greatest first; null if there are many different values. */
function compareCounts(old: AttributeTally, fresh: AttributeTally): ValueDrift[] | null {
  if (old.counts === null || fresh.counts === null) return null;
  const share = ({ counts, filled }: AttributeTally, value: string): number => (counts!.get(value) ?? 0) / Math.max(1, filled); // prettier-ignore
  const values = [...new Set([...old.counts.keys(), ...fresh.counts.keys()])].map((value): ValueDrift => {
    const [from, to] = [share(old, value), share(fresh, value)];
    return { value, from: round(from), to: round(to), change: round(to - from) };
  });
  return values.sort((a, b) => Math.abs(b.change) - Math.abs(a.change));
}

function distributionOf({ numbers }: AttributeTally): Distribution | null {
  const sample = new NumberSample();
  for (const value of numbers?.sample ?? []) sample.add(value);
  return sample.distribution();
}
