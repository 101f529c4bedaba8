import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { publishVersion, temporaryFolder } from '../../indexes.js';
import { TestServer } from '../server.js';

interface Metric {
  readonly help: string;
  readonly type: string;
  readonly samples: { name: string; labels: string[] }[];
}

/** A page of Prometheus's text format, by metric. */
function readPage(page: string): Map<string, Metric> {
  const metrics = new Map<string, Metric>();
  let help = '';
  let samples: Metric['samples'] = [];
  for (const line of page.split('\n')) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    const sample = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line);
    if (comment?.[1] === 'HELP') help = comment[3]!;
    else if (comment?.[1] === 'TYPE') metrics.set(comment[2]!, { help, type: comment[3]!, samples: (samples = []) });
    else if (sample !== null)
      samples.push({
        name: sample[1]!,
        labels: [...(sample[2] ?? '').matchAll(/(\w+)="/g)].map(([, label]) => label!),
      });
    else expect(line).toBe('');
  }
  return metrics;
}

const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];
const OTHER_UNITS =
  /_(?:ms|milliseconds?|micros|microseconds?|nanoseconds?|ns|us|minutes?|hours?|days?|weeks?|kilobytes?|kb|megabytes?|mb|gigabytes?|gb|bits?|percent)(?:_|$)/;

/** The rules of `promtool check metrics`. */
function faults(metrics: ReadonlyMap<string, Metric>): string[] {
  return [...metrics].flatMap(([name, { help, type, samples }]) => {
    const labels = new Set(samples.flatMap((sample) => sample.labels));
    const rules: [fault: string, isBroken: boolean][] = [
      ['no help', help.trim() === ''],
      ['no type', type === 'untyped'],
      ['a counter without _total', type === 'counter' && !name.endsWith('_total')],
      ['_total on what is no counter', type !== 'counter' && name.endsWith('_total')],
      ['a suffix of histograms', type !== 'histogram' && type !== 'summary' && /_(?:count|sum)$/.test(name)],
      ['a suffix of buckets', type !== 'histogram' && name.endsWith('_bucket')],
      ['a label of histograms', type !== 'histogram' && labels.has('le')],
      ['a label of summaries', type !== 'summary' && labels.has('quantile')],
      ['its type in its name', TYPES.some((one) => name.split('_').includes(one))],
      ['a unit that is no base unit', OTHER_UNITS.test(name)],
      ['a colon, which is for rules', name.includes(':')],
      ['camel case', [name, ...labels].some((word) => /[a-z][A-Z]/.test(word))],
    ];
    return rules.filter(([, isBroken]) => isBroken).map(([fault]) => `${name}: ${fault}`);
  });
}

describe('/metrics', () => {
  let server: TestServer;
  beforeAll(async () => {
    const root = temporaryFolder();
    await publishVersion(root, 'listings');
    server = await TestServer.start(root, ['--workers', '2']);
  });
  afterAll(async () => expect(await server.stop()).toBe(0));

  const readMetrics = async () => (await server.get('/metrics')).text();

  it('has series at zero of what has not failed yet', async () => {
    const page = await readMetrics();
    for (const series of [
      'shortlist_load_failures_total{index="listings",code="file_corrupt"} 0',
      'shortlist_load_failures_total{index="listings",code="insufficient_memory"} 0',
      'shortlist_short_answers_total{index="listings",reason="timeout"} 0',
      'shortlist_candidates_returned_total{index="listings"} 0',
      'shortlist_http_request_duration_seconds_count{route="/v1/indexes/:index/search",method="POST",status="500"} 0',
      'shortlist_http_request_duration_seconds_count{route="/v1/indexes/:index/search",method="POST",status="503"} 0',
      'shortlist_scrub_failures_total{index="listings"} 0',
      'shortlist_overloaded_total 0',
      'shortlist_worker_restarts_total 0',
    ]) {
      expect(page.split('\n')).toContain(series);
    }
  });

  it('counts from there, and is not set back', async () => {
    for (let i = 0; i < 3; i++) {
      await server.search({ id: '1', k: 10_000 });
      await readMetrics();
    }
    const page = await readMetrics();
    expect(page).toContain('shortlist_short_answers_total{index="listings",reason="corpus"} 3');
    expect(page).toMatch(/shortlist_http_request_duration_seconds_count\{[^}]*POST",status="200"\} 3/);
  });

  it("keeps Prometheus's rules", async () => {
    const page = await readMetrics();
    const metrics = readPage(page);
    expect(metrics.size).toBeGreaterThan(30);
    expect(faults(metrics)).toEqual([]);
  });

  it('passes promtool, where there is one', async ({ skip }) => {
    const { error, stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], {
      input: await readMetrics(),
    });
    if (error !== undefined) skip('promtool is not installed');
    expect(`${stdout.toString()}${stderr.toString()}`).toBe('');
    expect(status).toBe(0);
  });
});
