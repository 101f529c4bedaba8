/** The metrics of all workers on one page. */
import { Counter, Gauge, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { JoinedMetrics, takeSnapshot } from '../../../src/serve/channel/joined-metrics.js';

it('counts of workers that die at the same moment are all kept, and their gauges go', async () => {
  const joined = new JoinedMetrics();
  for (const [worker, count] of [1, 20, 300].entries()) {
    const registers = [new Registry()];
    new Counter({ name: 'things_total', help: 'Things', registers }).inc(count);
    new Gauge({ name: 'places', help: 'Places', registers }).set(count);
    joined.update(worker, await takeSnapshot(registers[0]!));
  }
  const first = joined.retire(0);
  const second = joined.retire(1);
  const during = await joined.render(new Registry());
  await Promise.all([first, second]);
  for (const page of [during, await joined.render(new Registry())]) {
    expect(page).toContain('things_total 321');
    expect(page).toContain('places 300');
  }
});
