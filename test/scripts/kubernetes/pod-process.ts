/**
 * Runs the container of a pod as a process of this machine: its command, arguments and variables are those of the manifest;
 * what it mounts are folders, and what the cluster gives are values of the caller.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { MAIN } from '../../cli/process.js';
import { temporaryFolder } from '../../indexes.js';
import { environmentOf, type Manifest, type Pods } from './manifests.js';

export interface Cluster {
  readonly manifests: readonly Manifest[];
  /** Folders by the paths at which pods mount them. */
  readonly mounts: Readonly<Record<string, string>>;
  /** Variables whose values the cluster gives, and those that must be others here. */
  readonly variables: Readonly<Record<string, string>>;
}

/** A folder in which `shortlist` is a command, as in the image. */
const bin = join(temporaryFolder(), 'bin');
mkdirSync(bin);
symlinkSync(MAIN, join(bin, 'shortlist'));

const running = new Set<ChildProcess>();
process.once('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export class PodProcess {
  output = '';

  private constructor(private readonly child: ChildProcess) {
    running.add(child);
    child.once('exit', () => running.delete(child));
    for (const stream of [child.stdout!, child.stderr!])
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
  }

  /** @param replaced other words for some of the arguments, such as addresses */
  static start({ spec }: Pods, cluster: Cluster, replaced: Readonly<Record<string, string>> = {}): PodProcess {
    const [container] = spec.containers;
    const { command = [], args = [] } = container!;
    const words = [...command, ...args].map((word) => replaced[word] ?? located(word, cluster.mounts));
    const [program, ...rest] = command.length === 0 ? [MAIN, ...words] : words;
    const environment = Object.entries(environmentOf(container!, cluster.manifests)).map(([name, value]) => {
      const known = cluster.variables[name] ?? value;
      if (known === null) throw new Error(`the cluster gives ${name}, and nothing here does`);
      return [name, located(known, cluster.mounts)];
    });
    const path = `${bin}${delimiter}${process.env['PATH'] ?? ''}`;
    const env = { ...cluster.variables, ...Object.fromEntries(environment), PATH: path } as NodeJS.ProcessEnv;
    return new PodProcess(spawn(program!, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** Resolves with the exit code when all output is read. */
  async ended(): Promise<number | null> {
    if (running.has(this.child)) await once(this.child, 'close');
    return this.child.exitCode;
  }

  /** As the kubelet does it. */
  terminate(): void {
    this.child.kill('SIGTERM');
  }
}

function located(word: string, mounts: Cluster['mounts']): string {
  const mount = Object.keys(mounts).find((path) => word === path || word.startsWith(`${path}/`));
  return mount === undefined ? word : mounts[mount]! + word.slice(mount.length);
}
