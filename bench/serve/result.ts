/** The result file of the request bench, and its table for the project's README. */
import { existsSync, readFileSync } from 'node:fs';
import type { Environment } from '../lib/environment.js';
import { markdownTable } from '../lib/markdown.js';
import { FORMS, type Form } from './forms.js';

export interface LoadFigures {
  readonly requests: number;
  /** Requests that the server refused as overloaded; their cost is part of `cpu_us`. */
  readonly refused: number;
  readonly per_second: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  /** Processor time of all processes of the server in a request. */
  readonly cpu_us: number;
}

export interface ServeCase {
  readonly form: Form;
  readonly k: number;
  readonly filtered: boolean;
  /** Of the answers, all of which are those of the library. */
  readonly recall: number;
  /** Processor time of the same search in process, by the library. */
  readonly search_us: number;
  readonly closed: LoadFigures;
  /** At half the rate of the closed load; latencies from the time when a request was meant to be sent. */
  readonly open: LoadFigures;
  /** What the closed load's requests cost above the search. */
  readonly above_search_us: number;
}

export interface BatchFigures {
  readonly size: number;
  readonly workers: number;
  readonly k: number;
  /** Queries a second, turn by turn. */
  readonly arrow_batch_qps: readonly number[];
  readonly single_binary_qps: readonly number[];
  /** Median over the turns. */
  readonly ratio: number;
}

/** Exact searches with a budget that is less than they take. */
export interface DeadlineFigures {
  readonly budget_ms: number;
  readonly connections: number;
  /** Median of the same searches without a budget, one at a time. */
  readonly scan_ms: number;
  readonly requests: number;
  /** Those that were answered 504. */
  readonly out_of_time: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

export interface ServeResult {
  readonly rows: number;
  readonly dim: number;
  readonly connections: number;
  readonly cases: readonly ServeCase[];
  readonly batch: BatchFigures;
  readonly deadline: DeadlineFigures;
  readonly environment: Environment;
}

/** @returns null where there is no file */
export function readServeResult(path: string): ServeResult | null {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as ServeResult) : null;
}

const TITLES: Readonly<Record<Form, string>> = {
  json: 'JSON numbers',
  base64: 'JSON, `vector_b64`',
  'octet-stream': 'octet-stream',
  arrow: 'Arrow, both ways',
};

/** @param result null where nothing was measured */
export function serveTable(result: ServeResult | null): string {
  if (result === null) return 'This copy holds no result; `npm run bench:serve` measures one.';
  const { cases, rows, dim, batch, deadline } = result;
  const kinds = [...new Map(cases.map((one) => [`${one.k} ${one.filtered}`, one])).values()];
  const lines = kinds.map(({ k, filtered }) => {
    const same = cases.filter((one) => one.k === k && one.filtered === filtered);
    const cells = FORMS.map((form) => {
      const found = same.find((one) => one.form === form);
      return found === undefined ? '' : `${found.above_search_us.toFixed(0)} µs, ${found.open.p99_ms.toFixed(2)} ms`;
    });
    return [filtered ? `${k}, filter` : String(k), `${(same[0]?.search_us ?? NaN).toFixed(0)} µs`, ...cells];
  });
  const { cpu, isa, node } = result.environment;
  const head = `Generated data, ${rows.toLocaleString('en-US')} x ${dim}, with one worker and default settings. The column \`search\` is the processor time of the search itself. Each other column has two values for one request format. The first is the processor time of a request beyond the search. The second is the 99th percentile of latency when requests arrive at half the rate that the server can answer:`;
  const tail = `A batch of ${batch.size} over Arrow answers ${batch.ratio.toFixed(2)} times as many queries per second as single octet-stream requests (k ${batch.k}, ${batch.workers} workers). Exact searches of ${deadline.scan_ms.toFixed(0)} ms with \`timeout_ms\` ${deadline.budget_ms} end, with an answer or 504, after ${deadline.p50_ms.toFixed(1)} ms in the median and ${deadline.p99_ms.toFixed(1)} ms at the 99th percentile. ${cpu}, ${isa}, Node ${node.slice(1)}.`;
  return `${head}\n\n${markdownTable(['k', 'search', ...FORMS.map((form) => TITLES[form])], lines)}\n\n${tail}`;
}
