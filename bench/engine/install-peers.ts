/** Installs bench/engine/package.json if it is missing: the peers are not dependencies of shortlist. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT } from '../lib/library.js';
import { say } from '../lib/say.js';

export function installPeers(packages: readonly string[]): void {
  const folder = join(PROJECT, 'bench/engine');
  if (packages.every((name) => existsSync(join(folder, 'node_modules', name)))) return;
  say(`installing ${packages.join(', ')} in bench/engine`);
  execFileSync('npm', ['ci', '--prefix', folder, '--no-audit', '--no-fund'], { cwd: folder, stdio: ['ignore', 2, 2] });
}
