/**
 * Builds indexes of shortlist for measurements that do not depend on the graph: sparse, fast to build, not calibrated.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions } from './options.js';
import type { DataSet } from './peer.js';
import { buildShortlist } from './peers/shortlist.js';
import { say } from '../lib/say.js';

const THIN_M = 8;
const THIN_EF_CONSTRUCTION = 40;

export interface FlatIndex {
  readonly root: string;
  readonly version: string;
}

export async function buildFlat(data: DataSet, { reuse }: Pick<BenchOptions, 'reuse'>): Promise<FlatIndex> {
  const root = join(data.folder, 'thin');
  const marker = join(root, 'built.json');
  if (reuse && existsSync(marker)) return JSON.parse(readFileSync(marker, 'utf8')) as FlatIndex;
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  say(`${data.name}: building an index`);
  const version = await buildVersion(data, root, 1);
  writeFileSync(marker, JSON.stringify({ root, version }));
  return { root, version };
}

/** One more version of the index. Another seed makes another graph, and so other files. */
export async function buildVersion(data: DataSet, root: string, seed: number): Promise<string> {
  const { version } = await buildShortlist({ data, folder: root, threads: availableParallelism() }, [
    ...[
      '--m',
      String(THIN_M),
      '--ef-construction',
      String(THIN_EF_CONSTRUCTION),
      '--seed',
      String(seed),
      '--no-calibrate',
    ],
  ]);
  if (version === undefined) throw new Error('the build named no version');
  return version;
}
