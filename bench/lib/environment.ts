/** The environment that figures depend on; stored with them. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { loadAddon } from '../../src/engine/native/addon.js';
import { PROJECT } from './library.js';

export interface Environment {
  readonly measured_at: string;
  readonly cpu: string;
  readonly cores: number;
  readonly system: string;
  readonly node: string;
  /** Instruction set of shortlist's kernels. */
  readonly isa: string;
  /** Of this repository; `+` where the sources differ from it. */
  readonly commit: string;
  readonly peers: Readonly<Record<string, string>>;
}

export function readEnvironment(): Environment {
  return {
    measured_at: new Date().toISOString(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    system: `${process.platform} ${process.arch}`,
    node: process.version,
    isa: loadAddon().isa(),
    commit: readCommit(),
    peers: {
      'hnswlib-node': versionOf('node_modules/hnswlib-node'),
      usearch: versionOf('bench/engine/node_modules/usearch'),
      '@zvec/zvec': versionOf('bench/engine/node_modules/@zvec/zvec'),
    },
  };
}

function readCommit(): string {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: PROJECT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    return git('rev-parse', '--short=10', 'HEAD') + (git('status', '--porcelain', '--', 'src') === '' ? '' : '+');
  } catch {
    return 'unknown'; // a copy of the sources without their history
  }
}

function versionOf(folder: string): string {
  try {
    return (JSON.parse(readFileSync(join(PROJECT, folder, 'package.json'), 'utf8')) as { version: string }).version;
  } catch {
    return 'not installed';
  }
}
