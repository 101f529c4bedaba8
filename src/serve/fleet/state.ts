/**
 * What a leaf says of itself: which shards it holds, and of each index the versions that it can search. A gateway asks
 * for it all the time, so it is small; the facts of a version are asked for once.
 */
import { MAX_SHARDS } from '../../base/limits.js';
import { checkCalibration, type Calibration } from '../../retrieve/load/calibration.js';
import { Fields } from '../../version/disk/fields.js';
import { checkManifest } from '../../version/sealed/manifest-check.js';
import type { Manifest } from '../../version/sealed/manifest.js';

/** Changes with any message between gateway and leaf. */
export const PROTOCOL = 1;

export const STATE_PATH = '/fleet/state';

export function factsPath(index: string, version: string): string {
  return `/fleet/indexes/${index}/versions/${encodeURIComponent(version)}`;
}

export interface LeafState {
  readonly protocol: number;
  /** False while it stops: it still answers, and wants no more requests. */
  readonly ready: boolean;
  readonly indexes: readonly LeafIndex[];
}

interface LeafIndex {
  readonly index: string;
  readonly current: string | null;
  /** Alias to version. */
  readonly aliases: Readonly<Record<string, string>>;
  readonly versions: readonly LeafVersionState[];
}

interface LeafVersionState {
  readonly version: string;
  /** Numbers of the shards that the leaf searches, ascending. */
  readonly shards: readonly number[];
}

/** The facts of one version. */
export interface VersionFacts {
  readonly manifest: Manifest;
  readonly calibration: Calibration | null;
  /** Why there is no calibration; empty if there is one. */
  readonly uncalibrated: string;
}

/** @throws FieldError */
export function readState(document: unknown): LeafState {
  const fields = new Fields(document);
  return {
    protocol: fields.integer('protocol', 1),
    ready: fields.flag('ready'),
    indexes: fields.list('indexes', (index) => ({
      index: index.text('index'),
      current: index.textOrNull('current'),
      aliases: readAliases(index.object('aliases')),
      versions: index.list('versions', (version) => ({
        version: version.text('version'),
        shards: version.integers('shards', 0, MAX_SHARDS - 1),
      })),
    })),
  };
}

function readAliases(fields: Fields): Record<string, string> {
  return Object.fromEntries(fields.names().map((alias) => [alias, fields.text(alias)]));
}

/** @throws FieldError */
export function readFacts(document: unknown): VersionFacts {
  const fields = new Fields(document);
  return {
    manifest: checkManifest(fields.object('manifest')),
    calibration: fields.raw('calibration') === null ? null : checkCalibration(fields.object('calibration')),
    uncalibrated: fields.text('uncalibrated'),
  };
}
