/** Builds every engine's index of a data set, engines taking turns; the last build of each is the one that is searched. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BenchOptions } from './options.js';
import type { Built, DataSet } from './peer.js';
import { buildPeer } from './peer-process.js';
import { peerOf, type PeerName } from './peers.js';
import { say } from './say.js';

export interface PeerBuilds {
  readonly name: PeerName;
  readonly folder: string;
  /** Every build that was timed; empty where an earlier one is used again. */
  readonly builds: readonly Built[];
  /** What lies in the folder. */
  readonly last: Built;
}

export async function buildAll(data: DataSet, options: BenchOptions): Promise<PeerBuilds[]> {
  const kept = new Map(options.reuse ? options.peers.flatMap((name) => findBuilt(data, name)) : []);
  const builds = new Map<PeerName, Built[]>();
  const turns = options.peers.filter((name) => !kept.has(name));
  for (const [position, threads] of options.buildThreads.entries()) {
    for (let round = 0; round < options.buildRounds; round++) {
      for (const name of turns) {
        const onOne = !peerOf(name).buildsOnThreads;
        if (onOne && position > 0) continue; // it has had its turn
        builds.set(name, [...(builds.get(name) ?? []), await buildOne(data, name, onOne ? 1 : threads)]);
      }
    }
  }
  return options.peers.map((name) => {
    const timed = builds.get(name) ?? [];
    return { name, folder: folderOf(data, name), builds: timed, last: timed.at(-1) ?? kept.get(name)! };
  });
}

async function buildOne(data: DataSet, name: PeerName, threads: number): Promise<Built> {
  const folder = folderOf(data, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const built = { ...(await buildPeer(name, { data, folder, threads })), threads };
  writeFileSync(join(folder, 'built.json'), JSON.stringify(built));
  const graph = built.graphSeconds === built.seconds ? '' : ` (graph ${built.graphSeconds.toFixed(2)} s)`;
  say(`${data.name}: ${peerOf(name).label} built in ${built.seconds.toFixed(2)} s${graph}, threads: ${threads}`);
  return built;
}

const folderOf = (data: DataSet, name: PeerName): string => join(data.folder, name);

function findBuilt(data: DataSet, name: PeerName): [PeerName, Built][] {
  const path = join(folderOf(data, name), 'built.json');
  return existsSync(path) ? [[name, JSON.parse(readFileSync(path, 'utf8')) as Built]] : [];
}
