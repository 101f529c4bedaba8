/**
 * Measures one wire form and one kind of search: closed load alternating with the search alone, then open load at half
 * the rate. Answers are checked during both.
 */
import { median, percentile, significant } from '../lib/numbers.js';
import { requireEqual, type Expected } from './expected.js';
import { makeRequest, readAnswer, type Ask, type Form } from './forms.js';
import { loadClosed, loadOpen, type Load, type Loaded } from './load.js';
import type { LoadFigures, ServeCase } from './result.js';
import { cpuSeconds } from '../lib/server-cpu.js';

/** One answer of so many is compared in full; of the others status and size are looked at. */
const COMPARED = 8;
/** Turns of the closed load and of the search alone: machines that others use too change their speed within seconds. */
const TURNS = 8;
/** Time for the search alone, as a share of that for the load: thousands of searches are enough. */
const SEARCH_SHARE = 0.25;
/** Compiles the server's code for the form, and fills its caches. */
const WARM_SHARE = 0.3;
const ARRIVAL_SEED = 5;

export interface Target {
  readonly port: number;
  readonly path: string;
  readonly pids: readonly number[];
}

export interface Plan {
  readonly form: Form;
  readonly ask: Ask;
  readonly durationMs: number;
  readonly connections: number;
}

export async function measureCase(
  target: Target,
  vectors: readonly Float32Array[],
  expected: Expected,
  { form, ask, durationMs, connections }: Plan,
): Promise<ServeCase> {
  const load = makeLoad(target, form, vectors.map((vector) => [vector]), expected, ask, durationMs); // prettier-ignore
  await loadClosed({ ...load, durationMs: WARM_SHARE * durationMs }, connections);
  const turns: { readonly spent: Spent; readonly searchUs: number }[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    const searchUs = expected.timeSearch((SEARCH_SHARE * durationMs) / TURNS);
    const slice = { ...load, durationMs: durationMs / TURNS };
    turns.push({ searchUs, spent: await withCpu(target, () => loadClosed(slice, connections)) });
  }
  const closed = figuresOf(turns.map(({ spent }) => spent));
  const open = figuresOf([await withCpu(target, () => loadOpen(load, closed.per_second / 2, ARRIVAL_SEED))]);
  const search_us = significant(median(turns.map(({ searchUs }) => searchUs)));
  const above_search_us = significant(median(turns.map(({ spent, searchUs }) => cpuOf(spent) - searchUs)));
  const { recall } = expected;
  return { form, k: ask.k, filtered: ask.filter !== undefined, recall, search_us, closed, open, above_search_us };
}

/** @param groups the vectors of each request, in order */
export function makeLoad(
  { port, path }: Target,
  form: Form,
  groups: readonly (readonly Float32Array[])[],
  { answers }: Pick<Expected, 'answers'>,
  ask: Ask,
  durationMs: number,
): Load {
  const requests = groups.map((group) => makeRequest(form, path, group, ask));
  const first = groups.map((_, request) => groups.slice(0, request).reduce((sum, group) => sum + group.length, 0));
  let checked = 0;
  const check: Load['check'] = async ({ status, body }, request) => {
    if (status !== 200) throw new Error(`${form}: status ${status}: ${body.toString('utf8', 0, 500)}`);
    if (body.length === 0) throw new Error(`${form}: an empty answer`);
    if (checked++ % COMPARED !== 0) return;
    const from = first[request]!;
    requireEqual(await readAnswer(form, body), answers.slice(from, from + groups[request]!.length), form);
  };
  return { port, requests, durationMs, check };
}

/** A load and the processor time that it took the server. */
interface Spent extends Loaded {
  readonly cpuSeconds: number;
}

async function withCpu({ pids }: Target, run: () => Promise<Loaded>): Promise<Spent> {
  const before = cpuSeconds(pids);
  const loaded = await run();
  return { ...loaded, cpuSeconds: cpuSeconds(pids) - before };
}

/** Microseconds a request. */
function cpuOf({ cpuSeconds, requests }: Spent): number {
  return (1e6 * cpuSeconds) / requests;
}

function figuresOf(turns: readonly Spent[]): LoadFigures {
  const sum = (of: (turn: Spent) => number) => turns.reduce((total, turn) => total + of(turn), 0);
  const latenciesMs = turns.flatMap((turn) => turn.latenciesMs);
  return {
    requests: sum(({ requests }) => requests),
    refused: sum(({ refused }) => refused),
    per_second: significant(sum(({ requests }) => requests) / sum(({ seconds }) => seconds)),
    p50_ms: significant(percentile(latenciesMs, 0.5)),
    p99_ms: significant(percentile(latenciesMs, 0.99)),
    cpu_us: significant(median(turns.map(cpuOf))),
  };
}
