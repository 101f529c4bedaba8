/**
 * Rewrites the tables of README.md that come from code and benchmark results, between their `<!-- name -->` and
 * `<!-- /name -->` marks. A test fails if they are out of date.
 *
 *     npx tsx scripts/readme-tables.ts
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { readResult } from '../bench/engine/result.js';
import { benchTables } from '../bench/engine/tables.js';
import { filterTable, readFilterResult } from '../bench/filters/result.js';
import { readServeResult, serveTable } from '../bench/serve/result.js';
import { ERRORS } from '../src/base/errors.js';
import { LiveIndexes } from '../src/retrieve/load/live.js';
import { Admission } from '../src/serve/worker/admission.js';
import { SERVE_OPTIONS } from '../src/serve/channel/options.js';
import { PrimaryMetrics } from '../src/serve/primary/primary-metrics.js';
import { WorkerMetrics } from '../src/serve/worker/worker-metrics.js';

const README = 'README.md';
const BENCH_RESULT = 'bench/results/engine.json';
const SERVE_RESULT = 'bench/results/serve.json';
const FILTER_RESULT = 'bench/results/filters.json';

const TABLES: Readonly<Record<string, () => string>> = {
  errors: errorTable,
  'serve-options': serveOptionTable,
  metrics: metricTable,
  bench: () => benchTables(readResult(BENCH_RESULT)),
  'bench-serve': () => serveTable(readServeResult(SERVE_RESULT)),
  'bench-filters': () => filterTable(readFilterResult(FILTER_RESULT)),
};

/** The README with current tables. @throws Error naming a table for which the text has no marks */
export function withTables(readme: string): string {
  return Object.entries(TABLES).reduce((text, [name, makeTable]) => {
    const marked = new RegExp(`(<!-- ${name} -->\n\n)[^]*?(\n\n<!-- /${name} -->)`);
    if (!marked.test(text)) throw new Error(`${README} has no <!-- ${name} --> ... <!-- /${name} -->`);
    return text.replace(marked, (_, before: string, after: string) => `${before}${makeTable()}${after}`);
  }, readme);
}

/** A status of 500 is left out: those codes end commands and startups, and only `internal` answers a request. */
function errorTable(): string {
  const rows = Object.entries(ERRORS).map(([code, { status, exit, title }]) => {
    const http = status === 500 && code !== 'internal' ? '' : String(status);
    return [`\`${code}\``, http, String(exit), title];
  });
  return markdownTable(['code', 'HTTP', 'exit', 'meaning'], rows);
}

function serveOptionTable(): string {
  const rows = SERVE_OPTIONS.map((option) => [
    `\`${option.flags}\``,
    `\`${option.env}\``,
    option.defaultText,
    option.help,
  ]);
  return markdownTable(['flag', 'variable', 'default', 'what it sets'], rows);
}

/** Our own metrics; prom-client's `process_*` and `nodejs_*` are not listed. */
function metricTable(): string {
  const worker = new WorkerMetrics();
  worker.watch(new LiveIndexes(''), new Admission(1, 1, () => undefined));
  const primary = new PrimaryMetrics(() => ({
    watched: [],
    indexes: [],
    workers: { standby: 0, starting: 0, listening: 0 },
    memoryLimitBytes: 0,
  }));
  const rows = [worker, primary]
    .flatMap(({ registry }) => registry.getMetricsAsArray())
    .filter(({ name }) => name.startsWith('shortlist_'))
    .map((metric) => [`\`${metric.name}\``, labelsOf(metric), metric.help]);
  return markdownTable(['metric', 'labels', 'what it says'], rows);
}

function labelsOf(metric: object): string {
  const names = 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames : [];
  return names.map((name) => `\`${String(name)}\``).join(', ');
}

function markdownTable(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(README, withTables(readFileSync(README, 'utf8')));
}
