/** npm run test:mutants -- [count] [seed] [from]: so many mutants of sealed versions, all digests right; exit 1 where one broke the promise. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { scratchFolder } from '../scratch.js';
import { buildBases } from './bases.js';
import { runMutants } from './run.js';

const [count = 20_000, seed = Date.now() % 1_000_000, from = 0] = process.argv.slice(2).map(Number);
const folder = mkdtempSync(join(scratchFolder(), 'shortlist-mutants-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
console.log(`${count} mutants of seed ${seed} from ${from}`);
const { counts, failures } = await runMutants(folder, await buildBases(folder), { seed, from, count });
for (const failure of failures) console.error(`${failure}\n`);
console.log(counts);
process.exitCode = failures.length === 0 ? 0 : 1;
