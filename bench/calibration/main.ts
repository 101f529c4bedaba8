/**
 * The calibration bench: does the ef that a version's calibration chooses match what fresh queries need? Recall and ef
 * are counts, so load on the machine does not matter. The README of the benches describes the method.
 *
 *     npm run bench:calibration -- --help
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openExactSearch, type ExactSearch } from '../../src/engine/exact-search.js';
import { calibrate } from '../../src/evaluate/calibrate/calibrate.js';
import { recallOf } from '../../src/evaluate/recall.js';
import { resolveDefaultEf, resolveEf, type Calibration } from '../../src/retrieve/load/calibration.js';
import { loadVersion, type LoadedVersion } from '../../src/retrieve/load/loaded-version.js';
import { singleTask, searchNow } from '../../src/retrieve/search/run-search.js';
import { planSearch } from '../../src/retrieve/search/search-plan.js';
import { markdownTable } from '../lib/markdown.js';
import { runCli } from '../engine/peers/shortlist.js';
import { say } from '../lib/say.js';
import { prepareFresh, SETS, type FreshSet } from './data-sets.js';

const INDEX = 'fresh';
const KS = [10, 100, 1000];
const TARGETS = [0.9, 0.95, 0.98, 0.99];
/** Fresh queries at k 1,000. */
const FEW = 400;
/** How near the least ef is looked for. */
const STEP = 1.03;

const USAGE = `npm run bench:calibration -- [options]
  --sets A,B    data sets whose names begin so (all: ${SETS.map(({ name }) => name).join(', ')})
  --shards N    shards of the index (1)
  --engine E    native or hnswlib (native)
  --work DIR    keeps vectors and indexes (${join(tmpdir(), 'shortlist-bench')})
`;

interface Options {
  readonly sets: readonly string[];
  readonly shards: string;
  readonly engine: string;
  readonly work: string;
}

function readOptions(args: readonly string[]): Options | null {
  const flag = { type: 'string' } as const;
  const { values } = parseArgs({
    args: [...args],
    options: { help: { type: 'boolean' }, sets: flag, shards: flag, engine: flag, work: flag },
  });
  if (values.help === true) return null;
  const { sets = '', shards = '1', engine = 'native', work = join(tmpdir(), 'shortlist-bench') } = values;
  return { sets: sets.split(','), shards, engine, work };
}

async function run({ sets, shards, engine, work }: Options): Promise<void> {
  const pool = openExactSearch();
  const chosen = SETS.filter(({ name }) => sets.some((start) => name.startsWith(start)));
  if (chosen.length === 0) throw new Error(`no data set begins with ${sets.join(' or ')}`);
  const rows: string[][] = [];
  try {
    for (const spec of chosen) {
      const set = await prepareFresh(spec, work);
      const version = await openIndex(set, shards, engine);
      const startedMs = performance.now();
      const calibration = await calibrate(version, { pool });
      say(`${set.name}: calibrated in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
      for (const k of KS.filter((one) => one < set.rows))
        rows.push(...(await judge(set, version, calibration, pool, k)));
      version.close();
    }
  } finally {
    await pool.close();
  }
  const titles = ['data', 'k', 'target', 'ef', 'fresh recall', 'least ef', 'ratio', ''];
  process.stdout.write(`${markdownTable(titles, rows)}\n`);
}

async function openIndex(set: FreshSet, shards: string, engine: string): Promise<LoadedVersion> {
  const root = join(set.folder, `${engine}-${shards}`);
  const marker = join(root, 'built.json');
  if (!existsSync(marker)) {
    rmSync(root, { recursive: true, force: true });
    mkdirSync(root, { recursive: true });
    say(`${set.name}: building an index`);
    const flags = ['--metric', set.metric, '--shards', shards, '--engine', engine, '--no-calibrate'];
    const input = join(set.folder, 'base.arrow');
    const { version } = await runCli<{ readonly version: string }>([
      ...['build', INDEX, '--root', root, '--input', input, ...flags],
    ]);
    writeFileSync(marker, JSON.stringify(version));
  }
  return loadVersion(root, INDEX, JSON.parse(readFileSync(marker, 'utf8')) as string);
}

/** One line for each target. */
async function judge(
  set: FreshSet,
  version: LoadedVersion,
  calibration: Calibration,
  pool: ExactSearch,
  k: number,
): Promise<string[][]> {
  const fresh = await Fresh.find(set, version, pool, k);
  const lines: string[][] = [];
  for (const target of TARGETS) {
    const ef = target === 0.99 ? resolveDefaultEf(calibration, { k }) : chosenEf(calibration, k, target);
    if (ef === null) {
      lines.push([
        set.name,
        String(k),
        String(target),
        'out of reach',
        '',
        String(fresh.least(target, k) ?? '-'),
        '',
        '',
      ]);
      continue;
    }
    const { mean, error } = fresh.recallAt(ef);
    const least = fresh.least(target, ef);
    const ratio = least === null ? NaN : ef / least;
    const cells = [ef, `${mean.toFixed(4)} +- ${error.toFixed(4)}`, least ?? '-', ratio.toFixed(2)].map(String);
    lines.push([set.name, String(k), String(target), ...cells, verdict(target, mean, error, ratio)]);
  }
  return lines;
}

function chosenEf(calibration: Calibration, k: number, targetRecall: number): number | null {
  try {
    return resolveEf(calibration, { k, targetRecall }).ef;
  } catch {
    return null;
  }
}

/** What is not as it should be. */
function verdict(target: number, mean: number, error: number, ratio: number): string {
  const wrong: string[] = [];
  if (mean < target - 2 * error) wrong.push('missed');
  if (target === 0.99 && (mean < 0.985 || mean > 0.996)) wrong.push('not 0.985 to 0.996');
  if (target < 0.99 && mean > target + 0.025) wrong.push('0.025 above');
  if (target === 0.99 && !(ratio <= 1.5)) wrong.push('1.5 times');
  return wrong.join(', ');
}

/** The fresh queries at one k. */
class Fresh {
  private readonly known = new Map<number, { readonly mean: number; readonly error: number }>();

  private constructor(
    private readonly set: FreshSet,
    private readonly version: LoadedVersion,
    private readonly k: number,
    private readonly truths: readonly Uint32Array[],
  ) {}

  static async find(set: FreshSet, version: LoadedVersion, pool: ExactSearch, k: number): Promise<Fresh> {
    const { base, queries, dim, metric, rows } = set;
    const count = Math.min(queries.length / dim, k === 1000 ? FEW : Infinity);
    const shard = { metric, dim, count: rows, values: base };
    const found = await pool.search([shard], queries.slice(0, count * dim), count, { k });
    return new Fresh(set, version, k, found.map(([part]) => part!.rows)); // prettier-ignore
  }

  recallAt(ef: number): { readonly mean: number; readonly error: number } {
    let found = this.known.get(ef);
    if (found === undefined) this.known.set(ef, (found = this.measure(ef)));
    return found;
  }

  /** The least ef that reaches the target, within STEP; null where none does. @param from where to begin */
  least(target: number, from: number): number | null {
    const reaches = (ef: number): boolean => this.recallAt(ef).mean >= target;
    let high = from;
    while (!reaches(high)) if ((high *= 2) > 10_000) return null;
    let low = high;
    while (low > 1 && reaches(low)) low = Math.floor(low / 2);
    while (high > low + 1 && high > low * STEP) {
      const middle = Math.round(Math.sqrt(low * high));
      const next = middle <= low ? low + 1 : middle >= high ? high - 1 : middle;
      if (reaches(next)) high = next;
      else low = next;
    }
    return high;
  }

  private measure(ef: number): { readonly mean: number; readonly error: number } {
    const { version, k, set } = this;
    const plan = { ...planSearch(version, { k, ef }), ef };
    const recalls = this.truths.map((truth, position) => {
      const query = set.queries.subarray(position * set.dim, (position + 1) * set.dim);
      return recallOf(version, query, searchNow(version, singleTask(query, plan)).ordinals, truth, k).byDistance;
    });
    const mean = recalls.reduce((sum, recall) => sum + recall, 0) / recalls.length;
    const variance = recalls.reduce((sum, recall) => sum + (recall - mean) ** 2, 0) / recalls.length;
    return { mean, error: Math.sqrt(variance / recalls.length) };
  }
}

const options = readOptions(process.argv.slice(2));
if (options === null) process.stdout.write(USAGE);
else await run(options);
