/** Exact searches that exceed their time limit: how long a client waits for an answer or a 504. */
import { percentile, significant } from '../lib/numbers.js';
import { makeRequest, type Ask } from './forms.js';
import { loadClosed, type Load } from './load.js';
import type { Target } from './measure.js';
import type { DeadlineFigures } from './result.js';

const BUDGET_MS = 5;
const K = 100;
const CONNECTIONS = 4;
const WHOLE_SCANS = 16;
const OUT_OF_TIME = 504;

export async function measureDeadline(
  { port, path }: Target,
  vectors: readonly Float32Array[],
  durationMs: number,
): Promise<DeadlineFigures> {
  const statuses = new Map<number, number>();
  const loadOf = (ask: Ask, allowed: readonly number[]): Load => ({
    port,
    requests: vectors.map((vector) => makeRequest('octet-stream', path, [vector], ask)),
    durationMs,
    check: ({ status, body }) => {
      if (!allowed.includes(status)) throw new Error(`status ${status}: ${body.toString('utf8', 0, 500)}`);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    },
  });
  const exact = { k: K, exact: true };
  const whole = loadOf(exact, [200]);
  const scans = await loadClosed({ ...whole, requests: whole.requests.slice(0, WHOLE_SCANS), durationMs: durationMs / 4 }, 1); // prettier-ignore
  statuses.clear();
  const { latenciesMs } = await loadClosed(
    loadOf({ ...exact, timeout_ms: BUDGET_MS }, [200, OUT_OF_TIME]),
    CONNECTIONS,
  );
  return {
    budget_ms: BUDGET_MS,
    connections: CONNECTIONS,
    scan_ms: significant(percentile(scans.latenciesMs, 0.5)),
    requests: latenciesMs.length,
    out_of_time: statuses.get(OUT_OF_TIME) ?? 0,
    p50_ms: significant(percentile(latenciesMs, 0.5)),
    p99_ms: significant(percentile(latenciesMs, 0.99)),
  };
}
