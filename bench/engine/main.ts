/**
 * The engine bench: shortlist and its peers in one run. The README of the benches describes the method.
 *
 *     npm run bench:engine -- --help
 *
 * Progress goes to stderr. Results go to one JSON file, section by section.
 */
import { resolve } from 'node:path';
import { prepareData } from './data-sets.js';
import { readEnvironment } from '../lib/environment.js';
import { installPeers } from './install-peers.js';
import { PROJECT } from '../lib/library.js';
import { readOptions, USAGE, type BenchOptions, type SectionName } from './options.js';
import { PEERS } from './peers.js';
import { mergeResult, type BenchResult } from './result.js';
import { say } from '../lib/say.js';
import { compare } from './sections/compare.js';
import { measureExact } from './sections/exact.js';
import { measureOpen } from './sections/open.js';
import { measureSwap } from './sections/swap.js';

/** Each gives its part of the result; `compare` one part a data set, so that a run that is broken off has what it measured. */
const RUNS: Readonly<Record<SectionName, (options: BenchOptions) => AsyncIterable<BenchResult>>> = {
  async *compare(options) {
    for (const spec of options.data) {
      const result = await compare(await prepareData(spec, options.work), options);
      yield { compare: { [spec.name]: { ...result, environment: readEnvironment() } } };
    }
  },
  async *exact(options) {
    yield { exact: { ...(await measureExact(options)), environment: readEnvironment() } };
  },
  async *open(options) {
    yield { open: { ...(await measureOpen(options)), environment: readEnvironment() } };
  },
  async *swap(options) {
    yield { swap: { ...(await measureSwap(options)), environment: readEnvironment() } };
  },
};

function packagesFor({ only, peers }: BenchOptions): string[] {
  const compared = only.includes('compare') ? peers.flatMap((name) => PEERS[name].package ?? []) : [];
  return [...new Set([...compared, ...(only.includes('exact') ? ['usearch'] : [])])];
}

async function run(options: BenchOptions): Promise<void> {
  installPeers(packagesFor(options));
  const out = resolve(PROJECT, options.out);
  for (const section of options.only) {
    for await (const part of RUNS[section](options)) {
      mergeResult(out, part);
      say(`${section}: written to ${options.out}`);
    }
  }
}

const options = readOptions(process.argv.slice(2));
if (options === null) process.stdout.write(USAGE);
else await run(options);
