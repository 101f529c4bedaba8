/** Looks for what would go wrong on this machine and in this root, before it does. Changes nothing. */
import { listIndexes } from '../version/state/catalog.js';
import { statIfPresent } from '../version/disk/durable.js';
import { nodeFiles } from '../version/disk/files.js';
import { checkIndex } from './check-index.js';
import { checkMachine } from './check-machine.js';
import { checkRoot } from './check-root.js';
import type { Finding } from './finding.js';

export type { Finding } from './finding.js';

export async function examine(root: string): Promise<Finding[]> {
  const findings = [...checkMachine(), ...(await checkRoot(root))];
  if ((await statIfPresent(root, nodeFiles))?.kind !== 'directory') return findings;
  for (const index of await listIndexes(root)) findings.push(...(await checkIndex(root, index)));
  return findings;
}
