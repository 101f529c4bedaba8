/** Builds every engine's index of a data set, engines taking turns. The last build of each is searched. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchOptions } from './options.js';
import type { Built, DataSet } from './peer.js';
import { buildPeer } from './peer-process.js';
import { LABELS, type PeerName } from './labels.js';
import { PEERS } from './peers.js';
import { say } from '../lib/say.js';

export interface PeerBuilds {
  readonly name: PeerName;
  readonly folder: string;
  /** Every build that was timed; empty where an earlier one is used again. */
  readonly builds: readonly Built[];
  /** What lies in the folder. */
  readonly last: Built;
}

/** Engines that cannot be built here are left out, with a word on why; shortlist must. */
export async function buildAll(data: DataSet, options: BenchOptions): Promise<PeerBuilds[]> {
  const kept = new Map(options.reuse ? options.peers.flatMap((name) => findBuilt(data, name)) : []);
  const builds = new Map<PeerName, Built[]>();
  const failed = new Set<PeerName>();
  for (const [name, threads] of planTurns(options, kept)) {
    if (failed.has(name)) continue;
    try {
      builds.set(name, [...(builds.get(name) ?? []), await buildOne(data, name, threads)]);
    } catch (error) {
      if (name === 'shortlist') throw error;
      failed.add(name);
      say(`${data.name}: ${LABELS[name]} is left out: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return options.peers.flatMap((name) => {
    const timed = builds.get(name) ?? [];
    const last = timed.at(-1) ?? kept.get(name);
    return last === undefined || failed.has(name) ? [] : [{ name, folder: folderOf(data, name), builds: timed, last }];
  });
}

/** Who builds on how many threads, one after the other. An engine that builds on one thread does so once a round. */
function planTurns(
  { peers, buildThreads, buildRounds }: BenchOptions,
  kept: ReadonlyMap<PeerName, Built>,
): [PeerName, number][] {
  const turns: [PeerName, number][] = [];
  for (const [position, threads] of buildThreads.entries()) {
    for (let round = 0; round < buildRounds; round++) {
      for (const name of peers) {
        const { buildsOnThreads } = PEERS[name];
        if (!kept.has(name) && (buildsOnThreads || position === 0)) turns.push([name, buildsOnThreads ? threads : 1]);
      }
    }
  }
  return turns;
}

async function buildOne(data: DataSet, name: PeerName, threads: number): Promise<Built> {
  const folder = folderOf(data, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const built = { ...(await buildPeer(name, { data, folder, threads })), threads };
  writeFileSync(join(folder, 'built.json'), JSON.stringify(built));
  const graph = built.graphSeconds === built.seconds ? '' : ` (graph ${built.graphSeconds.toFixed(2)} s)`;
  say(`${data.name}: ${LABELS[name]} built in ${built.seconds.toFixed(2)} s${graph}, threads: ${threads}`);
  return built;
}

const folderOf = (data: DataSet, name: PeerName): string => join(data.folder, name);

function findBuilt(data: DataSet, name: PeerName): [PeerName, Built][] {
  const path = join(folderOf(data, name), 'built.json');
  return existsSync(path) ? [[name, JSON.parse(readFileSync(path, 'utf8')) as Built]] : [];
}
