/** How soon a worker that died is started again. */
import { expect, it } from 'vitest';
import { RestartDelay } from '../../../src/serve/primary/restart-delay.js';

it('restarts come at once, then ever later, at once again after a stable time, and soon where clients wait', () => {
  let now = 0;
  const delay = new RestartDelay(() => now);
  const die = (after: number, isWaitedFor = false) => {
    delay.noteStart();
    now += after;
    return delay.next(isWaitedFor);
  };
  expect([die(10), die(10), die(10), die(10), die(10), die(10), die(10), die(10), die(10)]).toEqual([
    0, 250, 500, 1000, 2000, 4000, 8000, 10000, 10000,
  ]);
  expect([die(60_000), die(10)]).toEqual([0, 250]);
  expect([die(60_000, true), die(10, true), die(10, true), die(10, true), die(10), die(10)]).toEqual([
    0, 250, 250, 250, 250, 500,
  ]);
});
