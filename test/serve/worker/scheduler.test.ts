/** Searches and filters take turns with the event loop, small jobs before large ones. */
import { describe, expect, it } from 'vitest';
import { ShortlistError } from '../../../src/base/errors.js';
import { Scheduler } from '../../../src/serve/worker/scheduler.js';

/** A limit that tests end themselves. @param remainingMs that it says there are */
function limitOf(reason: Error | null, remainingMs = Infinity) {
  const limit = { reason, remainingMs, giveUp: () => (limit.reason = new Error('given up')) };
  return limit;
}

describe('the scheduler', () => {
  const unlimited = limitOf(null);

  it('gives every job a step in turn', async () => {
    const scheduler = new Scheduler();
    const order: string[] = [];
    const run = (name: string, steps: number) =>
      scheduler.run(steps, unlimited, (step) => void order.push(`${name}${step}`));
    await Promise.all([run('a', 3), run('b', 1), run('c', 2), run('none', 0)]);
    expect(order).toEqual(['a0', 'b0', 'c0', 'a1', 'c1', 'a2']);
  });

  it('counts a queue from the request that found none, however long nothing came before', async () => {
    const scheduler = new Scheduler();
    await scheduler.run(1, unlimited, () => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const came = performance.now();
    scheduler.noteAdmitted();
    scheduler.noteAdmitted();
    expect([scheduler.ahead, scheduler.emptyAt >= came]).toEqual([2, true]);
    const searches = [1, 2].map(() => scheduler.run(1, unlimited, () => undefined));
    expect([scheduler.ahead, scheduler.emptyAt >= came]).toEqual([2, true]);
    await Promise.all(searches);
    expect(scheduler.ahead).toBe(0);
  });

  it('does not begin what cannot be done in its time, by what is in front of it and by what it takes itself', async () => {
    const scheduler = new Scheduler();
    const busy = () => {
      for (const end = performance.now() + 1; performance.now() < end;);
    };
    await scheduler.run(100, unlimited, busy, 100); // about 1 ms for 100 places
    await scheduler.run(1, limitOf(null, 1), () => undefined); // nothing is in front of it
    const many = Array.from({ length: 40 }, () => scheduler.run(1, unlimited, busy));
    const late = limitOf(null, 1);
    await expect(scheduler.run(1, late, () => expect.fail('begun'))).rejects.toThrow('given up');
    expect(late.reason).not.toBeNull();
    await Promise.all(many);
    await expect(scheduler.run(1000, limitOf(null, 50), () => expect.fail('begun'), 100)).rejects.toThrow('given up');
    const batches = [1, 2, 3, 4].map(() => scheduler.run(100, unlimited, busy, 100));
    await expect(scheduler.run(2, limitOf(null, 50), () => expect.fail('begun'), 100)).rejects.toThrow('given up');
    await Promise.all(batches);
    await scheduler.run(10, limitOf(null, 500), () => undefined, 1); // small steps
    await scheduler.run(1000, limitOf(null, 500), () => undefined); // nobody knows of what size
  });

  it('begins a few jobs of several steps and finishes those first, while single steps have their turns', async () => {
    const scheduler = new Scheduler();
    const begun = new Set<number>();
    const ended = new Set<number>();
    let most = 0;
    let endedBeforeSingle = 0;
    const batches = Array.from({ length: 20 }, async (_, job) => {
      await scheduler.run(10, unlimited, (step) => {
        if (step === 0) begun.add(job);
        if (step === 9) ended.add(job);
        most = Math.max(most, begun.size - ended.size);
      });
    });
    const single = scheduler.run(1, unlimited, () => void (endedBeforeSingle = ended.size));
    await Promise.all([...batches, single]);
    expect(most).toBe(4);
    expect(endedBeforeSingle).toBe(0);
    expect([...ended]).toEqual([...ended].sort((a, b) => a - b));
  });

  it('does not have a job that nobody waits for wait for its turn', async () => {
    const scheduler = new Scheduler();
    let done = 0;
    const work = () => {
      const end = performance.now() + 1;
      while (performance.now() < end);
    };
    const long = Array.from({ length: 4 }, () => scheduler.run(200, unlimited, work).then(() => done++));
    const gone = new ShortlistError('deadline_exceeded', 'gone');
    const left = scheduler.run(2, limitOf(gone), () => undefined);
    await expect(left).rejects.toBe(gone);
    expect(done).toBe(0);
    await Promise.all(long);
  });

  it('lets the event loop turn between slices', async () => {
    const scheduler = new Scheduler();
    let turns = 0;
    let running = true;
    const count = () => {
      turns++;
      if (running) setImmediate(count);
    };
    setImmediate(count);
    const busy = () => {
      const end = performance.now() + 1;
      while (performance.now() < end);
    };
    await scheduler.run(50, unlimited, busy);
    running = false;
    expect(turns).toBeGreaterThan(5);
  });

  it('has small jobs pass a single large one', async () => {
    const scheduler = new Scheduler();
    let steps = 0;
    const large = scheduler.run(2_000, unlimited, () => {
      steps++;
      const end = performance.now() + 0.05; // what takes no time has no share of it
      while (performance.now() < end);
    });
    const small = Array.from({ length: 20 }, () => scheduler.run(1, unlimited, () => undefined));
    await Promise.all(small);
    expect(steps).toBeLessThan(2_000);
    await large;
  });

  describe('does work slice by slice', () => {
    function* workOf(slices: number, seen: (slice: number) => unknown = () => undefined) {
      for (let slice = 0; slice < slices; slice++) {
        seen(slice);
        yield;
      }
      return slices;
    }

    it('in turns with steps, the first one on the spot where nobody waits', async () => {
      const scheduler = new Scheduler();
      const order: string[] = [];
      const long = scheduler.runWork(
        unlimited,
        workOf(3, (slice) => order.push(`w${slice}`)),
      );
      expect(order).toEqual(['w0']);
      const steps = scheduler.run(2, unlimited, (step) => void order.push(`s${step}`));
      expect(await scheduler.runWork(unlimited, workOf(0))).toBe(0);
      expect(await long).toBe(3);
      await steps;
      expect(order).toEqual(['w0', 'w1', 's0', 'w2', 's1']);
    });

    it('and lets short work pass long work, of which only some goes on at once', async () => {
      const scheduler = new Scheduler();
      const ended: string[] = [];
      const going = new Set<number>();
      let most = 0;
      const long = Array.from({ length: 12 }, async (_, job) => {
        const seen = (slice: number) => {
          if (slice >= 20) going.add(job);
          most = Math.max(most, going.size);
          if (slice === 399) going.delete(job);
        };
        await scheduler.runWork(unlimited, workOf(400, seen));
        ended.push('long');
      });
      const short = scheduler.runWork(unlimited, workOf(5)).then(() => ended.push('short'));
      await Promise.all([...long, short]);
      expect(ended[0]).toBe('short');
      expect(most).toBe(4);
    });

    it('and goes on with small jobs between its slices, which wait no longer than a slice', async () => {
      const scheduler = new Scheduler();
      let isOver = false;
      let isWaiting = false;
      let sinceAsked = 0;
      function* goOn() {
        while (!isOver) {
          if (isWaiting) sinceAsked++;
          const end = performance.now() + 0.05; // what takes no time has no share of it
          while (performance.now() < end);
          yield;
        }
      }
      const long = scheduler.runWork(unlimited, goOn());
      let most = 0;
      for (let asked = 0; asked < 20; asked++) {
        isWaiting = true;
        await scheduler.run(1, unlimited, () => (isWaiting = false));
        most = Math.max(most, sinceAsked);
        sinceAsked = 0;
      }
      isOver = true;
      await long;
      expect(most).toBeLessThanOrEqual(1);
    });

    it('and counts what waits in front of a small job without it', async () => {
      const scheduler = new Scheduler();
      const long = scheduler.runWork(unlimited, workOf(20));
      expect(scheduler.ahead).toBe(0);
      const small = scheduler.run(1, unlimited, () => undefined);
      expect(scheduler.ahead).toBe(1);
      await Promise.all([long, small]);
    });

    it('until it fails, or its time is over', async () => {
      const scheduler = new Scheduler();
      const gone = new ShortlistError('deadline_exceeded', 'gone');
      const limit = limitOf(null);
      let slices = 0;
      const late = scheduler.runWork(
        limit,
        workOf(1_000, () => {
          if (++slices === 30) limit.reason = gone;
        }),
      );
      const broken = scheduler.runWork(unlimited, workOf(40, (slice) => { if (slice === 20) throw new Error('broken'); })); // prettier-ignore
      const good = scheduler.runWork(unlimited, workOf(50));
      expect(await Promise.allSettled([late, broken, good])).toEqual([
        { status: 'rejected', reason: gone },
        { status: 'rejected', reason: new Error('broken') },
        { status: 'fulfilled', value: 50 },
      ]);
      expect(slices).toBe(30);
      await expect(
        scheduler.runWork(
          limit,
          workOf(1, () => slices++),
        ),
      ).rejects.toBe(gone);
      expect(slices).toBe(30);
    });
  });

  it('fails a job with what its step threw, and goes on with the others', async () => {
    const scheduler = new Scheduler();
    const bad = scheduler.run(2, unlimited, () => {
      throw new Error('broken');
    });
    let steps = 0;
    const good = scheduler.run(3, unlimited, () => {
      steps++;
    });
    await expect(bad).rejects.toThrow('broken');
    await good;
    expect(steps).toBe(3);
  });

  it('ends jobs that are out of time before their next step', async () => {
    const scheduler = new Scheduler();
    const gone = new ShortlistError('deadline_exceeded', 'gone');
    const limit = limitOf(null);
    let steps = 0;
    const abandoned = scheduler.run(5, limit, (step) => {
      steps++;
      if (step === 1) limit.reason = gone;
    });
    await expect(abandoned).rejects.toBe(gone);
    expect(steps).toBe(2);
  });

  it('tells jobs that are out of time at once, whoever has the turns before them', async () => {
    const scheduler = new Scheduler();
    const ended: string[] = [];
    const end = (name: string) => () => void ended.push(name);
    const busy = () => {
      const end = performance.now() + 3;
      while (performance.now() < end);
    };
    const limit = limitOf(null);
    const first = scheduler.run(1, unlimited, () => {
      busy();
      limit.reason = new ShortlistError('deadline_exceeded', 'late');
    });
    const others = [1, 2, 3].map(() => scheduler.run(1, unlimited, busy).then(end('other')));
    const late = scheduler.run(1, limit, () => undefined).catch(end('late'));
    await Promise.all([first, ...others, late]);
    expect(ended).toEqual(['late', 'other', 'other', 'other']);
  });
});
