/**
 * Ids that two versions have: a sample of them, and the values under which they are grouped. Takes two versions; gives
 * pairs of ordinals.
 */
import { sampleDistinct } from '../base/random.js';
import type { LoadedVersion } from '../retrieve/load/loaded-version.js';
import type { AttributeColumn } from '../version/sealed/attribute-column.js';

const SAMPLE = 20_000;
const SEED = 42;

/** A row of a version whose id the live version has too. */
export interface KeptPair {
  readonly ordinal: number;
  /** Its ordinal in the live version. */
  readonly old: number;
}

export function sampleKeptPairs(version: LoadedVersion, live: LoadedVersion): KeptPair[] {
  const ordinals = sampleDistinct(version.manifest.count, SAMPLE, SEED);
  const olds = live.ids.match(version.ids, ordinals);
  return Array.from(ordinals, (ordinal, i) => ({ ordinal, old: olds[i]! })).filter(({ old }) => old >= 0);
}

/** The groups of a row, such as `color = "red"`: of a list with few different items, one for each item. */
export function groupKeys(name: string, column: AttributeColumn, ordinal: number): string[] {
  const value = column.value(ordinal);
  const values = Array.isArray(value) && value.length > 0 ? new Set<unknown>(value) : [value];
  return Array.from(values, (each) => `${name} = ${JSON.stringify(each)}`);
}
