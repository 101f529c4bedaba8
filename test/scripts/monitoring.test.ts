/** The rules of Prometheus and the dashboard of Grafana name metrics that exist. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const project = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path: string): string => readFileSync(project(path), 'utf8');

/** The generated table, which a test of the docs holds to the code. */
const known = new Set([...read('docs/operating/metrics-and-alerts.md').matchAll(/^\| `(shortlist_\w+)` \|/gm)].map(([, name]) => name!)); // prettier-ignore

function metricsIn(text: string): string[] {
  return [...text.matchAll(/\bshortlist_[a-z_]+\b/g)].map(([name]) => name.replace(/_(?:bucket|sum|count)$/, ''));
}

describe.each(['scripts/prometheus-rules.yaml', 'scripts/grafana-dashboard.json'])('%s', (path) => {
  it('names metrics that exist', () => {
    const names = metricsIn(read(path));
    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !known.has(name))).toEqual([]);
  });
});

describe('the alerts', () => {
  const names = [...read('scripts/prometheus-rules.yaml').matchAll(/alert: (\w+)/g)].map(([, name]) => name!);

  it('are in the docs, each with what to do', () => {
    const tables = read('docs/operating/metrics-and-alerts.md');
    const night = read('docs/operating/at-night.md');
    for (const name of names) expect(tables).toContain(`| ${name} |`);
    // Late scrubs are no reason to wake anybody.
    for (const name of names.filter((one) => one !== 'ShortlistScrubLate')) expect(night).toContain(name);
  });

  const promtool = spawnSync('promtool', ['--version']).status === 0;
  it.skipIf(!promtool)('are rules that promtool accepts (skipped without promtool)', () => {
    const { status, stderr } = spawnSync('promtool', ['check', 'rules', project('scripts/prometheus-rules.yaml')]);
    expect([status, String(stderr)]).toEqual([0, '']);
  });
});

describe('the dashboard', () => {
  it('is JSON with panels that have queries', () => {
    const { panels } = JSON.parse(read('scripts/grafana-dashboard.json')) as { panels: { title: string; targets: { expr: string }[] }[] }; // prettier-ignore
    expect(panels.length).toBeGreaterThan(8);
    for (const { title, targets } of panels)
      expect(
        targets.every(({ expr }) => expr.includes('shortlist_')),
        title,
      ).toBe(true);
  });
});
