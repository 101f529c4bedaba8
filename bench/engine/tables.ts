/**
 * Formats the result as Markdown for the project's README. Ratios compare measurements of the same run, round by round.
 */
import { LABELS, PEER_NAMES } from './labels.js';
import { markdownTable } from '../lib/markdown.js';
import { median } from '../lib/numbers.js';
import type { BenchResult } from './result.js';
import type { BuildResult, CompareResult } from './sections/compare.js';

/** The recall that the table of searches is for. */
const LEAST_RECALL = 0.99;
const OTHERS = PEER_NAMES.filter((name) => name !== 'shortlist');

/** @param result null where nothing was measured */
export function benchTables(result: BenchResult | null): string {
  if (result === null) return 'This copy holds no result; `npm run bench:engine` measures one.';
  const compared = Object.entries(result.compare ?? {});
  const parts = [
    ...(compared.length > 0 ? [searchTable(compared), buildTable(compared), sizeTable(compared)] : []),
    [exactLine(result), openLine(result), swapLine(result)].filter((line) => line !== null).join('\n'),
    environmentLine(result),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

type Compared = readonly (readonly [string, CompareResult])[];

function searchTable(compared: Compared): string {
  const rows = compared.flatMap(([name, { search }]) =>
    search
      .filter(({ least_recall }) => least_recall === LEAST_RECALL)
      .map(({ k, peers }) => {
        const ours = peers.shortlist;
        const cells = OTHERS.map((other) => {
          const theirs = peers[other];
          if (theirs === undefined || theirs === null) return '';
          const ratios = theirs.qps.map((qps, round) => (ours?.qps[round] ?? NaN) / qps);
          return withRatio(count(theirs.qps_median), median(ratios));
        });
        return [name, String(k), ours ? count(ours.qps_median) : '', ...cells];
      }),
  );
  const titles = ['data', 'k', ...PEER_NAMES.map((name) => LABELS[name])];
  return `Queries per second of one thread at recall ${LEAST_RECALL}. In brackets: the speed of shortlist divided by that of this engine. Empty: the engine did not reach the recall:\n\n${markdownTable(titles, rows)}`;
}

function buildTable(compared: Compared): string {
  const rows = compared.flatMap(([name, { peers }]) => {
    const threads = Math.max(...(peers.shortlist?.builds ?? []).map((built) => built.threads));
    const ours = buildOn(peers.shortlist?.builds, threads);
    if (ours === undefined) return [];
    const whole = median(ours.seconds);
    const graph = median(ours.graph_seconds);
    const cells = OTHERS.map((other) => {
      const builds = peers[other]?.builds;
      const theirs = buildOn(builds, threads) ?? builds?.[0];
      if (theirs === undefined) return '';
      const seconds = median(theirs.graph_seconds);
      return `${seconds.toFixed(1)} (${(seconds / whole).toFixed(1)}, ${(seconds / graph).toFixed(1)})`;
    });
    return [[name, String(threads), `${whole.toFixed(1)}, graph ${graph.toFixed(1)}`, ...cells]];
  });
  const titles = ['data', 'threads', ...PEER_NAMES.map((name) => LABELS[name])];
  const text =
    'Build time in seconds. shortlist has two values: the whole build, from an Arrow file to a sealed version, and the part of it that builds the graph. The others are timed from vectors in memory to the last insert (zvec: to the index on disk). The brackets give their time divided by the whole build of shortlist, and divided by its graph part. hnswlib-node builds on one thread:';
  return `${text}\n\n${markdownTable(titles, rows)}`;
}

const buildOn = (builds: readonly BuildResult[] | undefined, threads: number): BuildResult | undefined =>
  builds?.find((built) => built.threads === threads);

function sizeTable(compared: Compared): string {
  const rows = compared.map(([name, { peers }]) => [
    name,
    ...PEER_NAMES.map((peer) => {
      const found = peers[peer];
      if (found === undefined) return '';
      return `${megabytes(found.file_bytes)}, ${found.open_ms.toFixed(1)} ms, ${megabytes(found.rss_bytes)}`;
    }),
  ]);
  const titles = ['data', ...PEER_NAMES.map((name) => LABELS[name])];
  const text =
    'Size of the files in MB, time to open them from the page cache in ms, and memory in MB after 1,000 searches, with the pages of mapped files:';
  return `${text}\n\n${markdownTable(titles, rows)}`;
}

function exactLine({ exact }: BenchResult): string | null {
  if (exact === undefined) return null;
  const each = exact.results.map(({ k, shortlist_seconds, usearch_seconds, ratio, unexplained }) => {
    const [ours, theirs] = [median(shortlist_seconds), median(usearch_seconds)];
    return `k ${k} in ${ours.toFixed(2)} s, usearch's \`exactSearch\` in ${theirs.toFixed(2)} s (${ratio.toFixed(1)} times as long; ${unexplained} rows differ that are not ties)`;
  });
  return `- Exact search, ${count(exact.queries)} queries over ${count(exact.rows)} x ${exact.dim} on ${exact.threads} threads: ${each.join('; ')}.`;
}

function openLine({ open }: BenchResult): string | null {
  if (open === undefined) return null;
  const { shard_bytes, open_shard_ms, open_index_ms, workers, workers_rss_bytes, workers_pss_bytes } = open;
  return `- A shard of ${megabytes(shard_bytes)} MB (${count(open.rows)} x ${open.dim}) opens in ${open_shard_ms.toFixed(0)} ms, its version with the table of ids in ${open_index_ms.toFixed(0)} ms. ${workers} workers of a server on it, after scans of all vectors: ${megabytes(workers_rss_bytes)} MB if each had its own copy, ${megabytes(workers_pss_bytes)} MB because they share it.`;
}

function swapLine({ swap }: BenchResult): string | null {
  if (swap === undefined) return null;
  return `- ${swap.swaps.length} publishes and rollbacks under ${swap.requests_per_second} requests per second: ${swap.failed} of ${count(swap.requests)} requests failed; the median p99 in the two seconds after \`CURRENT\` moved was ${swap.ratio.toFixed(2)} times the p99 before.`;
}

function environmentLine(result: BenchResult): string {
  const all = [...Object.values(result.compare ?? {}), result.exact, result.open, result.swap].flatMap(
    (one) => one ?? [],
  );
  const lines = all.map(({ environment: { cpu, cores, node, isa, peers } }) => {
    const versions = Object.entries(peers).map(([name, version]) => `${name} ${version}`);
    return `${cpu}, ${cores} cores, ${isa}, Node ${node.slice(1)}; ${versions.join(', ')}`;
  });
  return [...new Set(lines)].join('\n\n');
}

const withRatio = (text: string, ratio: number): string =>
  Number.isFinite(ratio) ? `${text} (${ratio.toFixed(1)})` : text;
const count = (value: number): string => Math.round(value).toLocaleString('en-US');
const megabytes = (bytes: number): string => count(bytes / 1e6);
