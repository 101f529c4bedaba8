/**
 * The mixed bench: a caller of small searches beside callers of large ones. Measures how long small searches take alone
 * and beside each kind, and the longest stall of the worker's event loop, as the worker reports it. The README of the
 * benches describes the method.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { generated } from '../engine/data-sets.js';
import { readEnvironment } from '../lib/environment.js';
import { PROJECT } from '../lib/library.js';
import { markdownTable } from '../lib/markdown.js';
import { percentile, significant } from '../lib/numbers.js';
import { say } from '../lib/say.js';
import { ServerProcess } from '../lib/server-process.js';
import { writeJson } from '../lib/write-json.js';
import { prepareAttributed } from '../filters/attributed.js';
import { startHelper } from '../lib/helper-process.js';
import { pin } from '../lib/pin.js';
import { runOpenLoad } from '../overload/open-load.js';
import { makeRequest } from '../serve/forms.js';
import { LARGE } from './large.js';

const SMALL_PER_SECOND = 200;
const CALLERS_SCRIPT = fileURLToPath(new URL('./callers.ts', import.meta.url));

const USAGE = `npm run bench:mixed -- [options]
  --quick      short loads: does everything work?
  --reuse      serves the index that an earlier run has built
  --seconds N  length of each load (10)
  --rows N     (200000)
  --only NAME  beside those whose name begins so
  --work DIR   keeps vectors and indexes (${join(tmpdir(), 'shortlist-bench')})
  --out FILE   result (bench/results/mixed.json; with --quick quick-mixed.json in the work folder)
`;

interface Row {
  readonly beside: string;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly refused: number;
  /** Answers of the large callers, by status. */
  readonly large: Readonly<Record<number, number>>;
  readonly longest_stall_ms: number;
}

async function run(): Promise<void> {
  const flag = { type: 'string' } as const;
  const { values } = parseArgs({
    options: { help: { type: 'boolean' }, quick: { type: 'boolean' }, reuse: { type: 'boolean' }, seconds: flag, rows: flag, only: flag, work: flag, out: flag }, // prettier-ignore
  });
  if (values.help === true) {
    process.stdout.write(USAGE);
    return;
  }
  const quick = values.quick ?? false;
  const work = values.work ?? join(tmpdir(), 'shortlist-bench');
  const durationMs = 1000 * Number(values.seconds ?? (quick ? 2 : 10));
  const out = values.out ?? (quick ? join(work, 'quick-mixed.json') : 'bench/results/mixed.json');
  const rows = Number(values.rows ?? (quick ? 50_000 : 200_000));
  const set = await prepareAttributed(generated(rows, 768), work, values.reuse ?? quick);
  const { dim } = set.data;
  const vectors = Array.from({ length: 256 }, (_, i) => set.queries.slice(i * dim, (i + 1) * dim));
  const server = await ServerProcess.start(set.root, 1);
  const { origin, port, pathname } = new URL(server.searchUrl);
  const requests = vectors.map((vector) => makeRequest('octet-stream', pathname, [vector], { k: 10 }));
  const small = { port: Number(port), requests, perSecond: SMALL_PER_SECOND, connections: 32, opened: 'before', seed: 1 } as const; // prettier-ignore
  try {
    const isPinned = pin(server.workerPids, 1);
    const measure = async (beside: string): Promise<Row> => {
      const callers = startCallers(server.searchUrl, beside, rows);
      await sleep(1_000);
      await readStall(origin);
      const { goodMs, refusedMs, broken } = await runOpenLoad({ ...small, durationMs });
      const longest_stall_ms = await readStall(origin);
      const statuses = await callers.stop();
      if (broken > 0) throw new Error(`${broken} requests beside ${beside} were broken off`);
      const [p50_ms, p99_ms] = [0.5, 0.99].map((share) => significant(percentile(goodMs, share))) as [number, number];
      return { beside, p50_ms, p99_ms, refused: refusedMs.length, large: statuses, longest_stall_ms };
    };
    await measure('warm');
    const found: Row[] = [await measure('nobody')];
    for (const name of Object.keys(LARGE)) {
      if (!name.startsWith(values.only ?? '')) continue;
      found.push(await measure(name));
      say(JSON.stringify(found.at(-1)));
    }
    const titles = ['beside', 'p50 ms', 'p99 ms', 'refused', 'large answers', 'longest stall ms'];
    const cells = found.map((row) => [row.beside, row.p50_ms, row.p99_ms, row.refused, JSON.stringify(row.large), row.longest_stall_ms].map(String)); // prettier-ignore
    process.stdout.write(`${markdownTable(titles, cells)}\n`);
    writeJson(resolve(PROJECT, out), { rows: found, pinned: isPinned, environment: readEnvironment() });
    say(`written to ${out}`);
  } finally {
    await server.stop();
  }
}

/** The large callers, in a process of their own: what they send and read must not hold up the clock of the small one. */
function startCallers(url: string, beside: string, rows: number) {
  if (!(beside in LARGE)) return { stop: () => Promise.resolve({}) };
  return startHelper<Readonly<Record<number, number>>>(CALLERS_SCRIPT, [url, beside, String(rows)]);
}

/** The longest stall of the worker's event loop since it was read last, milliseconds. */
async function readStall(origin: string): Promise<number> {
  const page = await (await fetch(`${origin}/metrics`)).text();
  const values = [...page.matchAll(/^shortlist_event_loop_delay_seconds\{percentile="100"\} (.*)$/gm)].map(([, value]) => Number(value)); // prettier-ignore
  return significant(1000 * Math.max(...values));
}

await run();
