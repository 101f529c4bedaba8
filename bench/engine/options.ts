/** The command line of the bench. */
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { FULL_DATA, QUICK_DATA, REAL_DATA, type DataSpec } from './data-sets.js';
import { canPin } from './peer-process.js';
import { PEER_NAMES, type PeerName } from './labels.js';

export const SECTIONS = ['compare', 'exact', 'open', 'swap'] as const;
export type SectionName = (typeof SECTIONS)[number];

export interface BenchOptions {
  /** Small data and short rounds: proves that everything works, measures nothing. */
  readonly quick: boolean;
  readonly only: readonly SectionName[];
  readonly data: readonly DataSpec[];
  readonly peers: readonly PeerName[];
  /** Where vectors and indexes are kept from run to run. */
  readonly work: string;
  /** The result file; what it holds of other sections stays. */
  readonly out: string;
  readonly ks: readonly number[];
  readonly recalls: readonly number[];
  readonly rounds: number;
  /** Least length of one peer's turn. */
  readonly turnMs: number;
  readonly buildThreads: readonly number[];
  readonly buildRounds: number;
  /** Indexes of an earlier run are searched again where they are there. */
  readonly reuse: boolean;
  /** The core that searches run on; null: not pinned. */
  readonly core: number | null;
}

export const USAGE = `npm run bench:engine -- [options]
  --quick              small data, short turns: does everything work?
  --only A,B           sections: ${SECTIONS.join(', ')} (all)
  --data A,B           data sets of compare, by name: ${[...FULL_DATA, ...REAL_DATA].map(({ name }) => name).join(', ')}
                       (all; the last ones need SHORTLIST_TEST_DATA)
  --peers A,B          engines of compare: ${PEER_NAMES.join(', ')} (all)
  -k A,B               neighbours (10,100,1000)
  --rounds N           turns of each engine (5)
  --build-threads A,B  builds are timed with so many threads, the last one is searched (1,2)
  --build-rounds N     builds of each engine (1)
  --reuse              searches indexes that an earlier run has built
  --core N             core that searches are pinned to (the last one)
  --work DIR           keeps vectors and indexes (${join(tmpdir(), 'shortlist-bench')})
  --out FILE           result (bench/results/engine.json; with --quick quick.json in the work folder)
`;

/** @throws Error for a name or number that is none */
export function readOptions(args: readonly string[]): BenchOptions | null {
  const flag = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...{ help: { type: 'boolean' }, quick: { type: 'boolean' }, reuse: { type: 'boolean' } },
      ...{ only: flag, data: flag, peers: flag, k: { type: 'string', short: 'k' }, rounds: flag, core: flag },
      ...{ 'build-threads': flag, 'build-rounds': flag, work: flag, out: flag },
    },
  });
  if (values.help === true) return null;
  const quick = values.quick ?? false;
  const work = values.work ?? join(tmpdir(), 'shortlist-bench');
  return {
    quick,
    only: chooseNames('section', SECTIONS, values.only),
    data: chooseData(values.data, quick),
    peers: chooseNames('engine', PEER_NAMES, values.peers),
    work,
    out: values.out ?? (quick ? join(work, 'quick.json') : 'bench/results/engine.json'),
    ks: readNumbers('-k', values.k ?? (quick ? '10,100' : '10,100,1000')),
    recalls: [0.95, 0.99],
    rounds: readNumber('--rounds', values.rounds ?? (quick ? '3' : '5')),
    turnMs: quick ? 20 : 1_000,
    buildThreads: readNumbers('--build-threads', values['build-threads'] ?? (quick ? '2' : '1,2')),
    buildRounds: readNumber('--build-rounds', values['build-rounds'] ?? '1'),
    reuse: values.reuse ?? false,
    core: canPin() ? readNumber('--core', values.core ?? String(cpus().length - 1)) : null,
  };
}

function chooseNames<Name extends string>(what: string, known: readonly Name[], text: string | undefined): readonly Name[] {
  if (text === undefined) return known;
  return text.split(',').map((name) => {
    const found = known.find((other) => other === name);
    if (found === undefined) throw new Error(`there is no ${what} ${name}; there are ${known.join(', ')}`);
    return found;
  });
} // prettier-ignore

function chooseData(text: string | undefined, quick: boolean): readonly DataSpec[] {
  const real = process.env['SHORTLIST_TEST_DATA'] === undefined || (quick && text === undefined) ? [] : REAL_DATA;
  const all = [...(quick ? QUICK_DATA : FULL_DATA), ...real];
  const names = chooseNames('data set', all.map(({ name }) => name), text); // prettier-ignore
  return all.filter(({ name }) => names.includes(name));
}

const readNumbers = (flag: string, text: string): number[] => text.split(',').map((part) => readNumber(flag, part));

function readNumber(flag: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`${flag} takes whole numbers, not ${text}`);
  return Number(text);
}
