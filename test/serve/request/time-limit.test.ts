/** A time limit: the deadline of a request, or its client that leaves. */
import { describe, expect, it } from 'vitest';
import { TimeLimit } from '../../../src/serve/request/time-limit.js';

describe('a time limit', () => {
  const open = { destroyed: false };

  it('ends at its deadline, for those who ask and for those who are told', async () => {
    const limit = new TimeLimit(open, performance.now() + 20);
    expect(limit.reason).toBeNull();
    const never = new Promise<never>(() => undefined);
    await expect(limit.within(never)).rejects.toMatchObject({ code: 'deadline_exceeded' });
    expect(limit.signal.reason).toBe(limit.reason);
    expect(() => limit.check()).toThrow(limit.reason!);
    const late = new TimeLimit(open, performance.now() - 1);
    expect(late.signal.aborted).toBe(true);
    await expect(late.within(never)).rejects.toBe(late.reason);
  });

  it('that is longer than a timer can be does not end at once', async () => {
    const limit = new TimeLimit(open, performance.now() + 2 ** 33);
    const { signal } = limit;
    await expect(limit.within(new Promise((resolve) => setTimeout(resolve, 20, 'done')))).resolves.toBe('done');
    expect([signal.aborted, limit.reason]).toEqual([false, null]);
    limit.clear();
  });

  it('ends when the client leaves, before it was made too', () => {
    const limit = new TimeLimit(open, Infinity);
    const { signal } = limit;
    limit.clientLeft();
    expect(signal.aborted).toBe(true);
    expect(limit.reason).toMatchObject({ code: 'deadline_exceeded' });
    expect(new TimeLimit({ destroyed: true }, Infinity).reason).not.toBeNull();
  });

  it('passes on what the work comes to, until then', async () => {
    const limit = new TimeLimit(open, performance.now() + 60_000);
    await expect(limit.within(Promise.resolve(7))).resolves.toBe(7);
    await expect(limit.within(Promise.reject(new Error('broken')))).rejects.toThrow('broken');
    limit.clear();
  });
});
