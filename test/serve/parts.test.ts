/** The server's parts on their own: options, turns, places, restarts, negotiation. */
import { createServer } from 'node:http';
import { Socket } from 'node:net';
import fc from 'fast-check';
import { Counter, Gauge, Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { ShortlistError } from '../../src/base/errors.js';
import { seededRandom } from '../../src/base/random.js';
import { ConnectionAges } from '../../src/serve/worker/connection-ages.js';
import { Admission } from '../../src/serve/worker/admission.js';
import type { ByteAccount, Claim } from '../../src/serve/request/byte-account.js';
import { JoinedMetrics, takeSnapshot } from '../../src/serve/channel/joined-metrics.js';
import { readServeOptions, SERVE_OPTIONS } from '../../src/serve/channel/options.js';
import { acceptsGzip, checkAccept, chooseType } from '../../src/serve/request/accept.js';
import { readBase64Vector, readJsonVector } from '../../src/serve/request/vectors.js';
import { requestIdOf } from '../../src/serve/worker/request-id.js';
import { RestartDelay } from '../../src/serve/primary/restart-delay.js';
import { Scheduler } from '../../src/serve/worker/scheduler.js';
import { TextBytes } from '../../src/serve/answer/text-bytes.js';
import { TimeLimit } from '../../src/serve/request/time-limit.js';

describe('options', () => {
  it('a flag wins over its variable, and a variable over the default', () => {
    expect(readServeOptions({}).port).toBe(8080);
    expect(readServeOptions({}, { SHORTLIST_PORT: '81' }).port).toBe(81);
    expect(readServeOptions({ port: '82' }, { SHORTLIST_PORT: '81' }).port).toBe(82);
    expect(readServeOptions({}, { SHORTLIST_PORT: '' }).port).toBe(8080);
  });

  it('names follow from one another: key, flag and variable', () => {
    for (const { key, flags, env } of SERVE_OPTIONS) {
      const flag = flags.split(' ')[0]!.slice(2);
      expect(flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())).toBe(key);
      expect(env).toBe(`SHORTLIST_${flag.replaceAll('-', '_').toUpperCase()}`);
    }
    expect(SERVE_OPTIONS.map(({ env }) => env)).toEqual(
      expect.arrayContaining(['SHORTLIST_ROOT', 'SHORTLIST_INDEX', 'SHORTLIST_WORKERS', 'SHORTLIST_LOG_LEVEL']),
    );
  });

  it('sizes have units, indexes have commas', () => {
    expect(readServeOptions({ bodyLimit: '2MiB' }).bodyLimit).toBe(2 * 2 ** 20);
    expect(readServeOptions({ memoryLimit: '1.5 GB' }).memoryLimit).toBe(1.5e9);
    expect(readServeOptions({}, { SHORTLIST_INDEX: 'a, b,a' }).index).toEqual(['a', 'b']);
    expect(readServeOptions({ index: ['a', 'b-c'] }).index).toEqual(['a', 'b-c']);
  });

  it.each([
    ['port', '-1'], ['port', '65536'], ['port', '80.5'], ['port', 'x'], ['workers', '0'], ['workers', '1e2'], ['host', ' '],
    ['bodyLimit', '1'], ['bodyLimit', '5 parsecs'], ['memoryLimit', '0'], ['index', 'UPPER'], ['index', 'a,,b'], ['logLevel', 'loud'],
    ['drainTimeoutMs', '-5'], ['requestTimeoutMs', '1'],
  ])('%s does not take %s: the error names the flag, or the variable', (key, value) => {
    const option = SERVE_OPTIONS.find((one) => one.key === key)!;
    expect(() => readServeOptions({ [key]: value })).toThrow(option.flags.split(' ')[0]);
    expect(() => readServeOptions({}, { [option.env]: value })).toThrow(option.env);
    expect(() => readServeOptions({ [key]: value })).toThrow(expect.objectContaining({ code: 'usage' }) as Error);
  }); // prettier-ignore
});

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
    scheduler.expect();
    scheduler.expect();
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
    limit.leave();
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

describe('admission', () => {
  it('a place is free again when all who retained it have released it', () => {
    let refusals = 0;
    const admission = new Admission(1, 100, () => {
      refusals++;
    });
    const slot = admission.enter();
    expect(() => admission.check()).toThrow(expect.objectContaining({ code: 'overloaded' }) as Error);
    const release = slot.retain();
    slot.release();
    slot.release(); // once more: the other hold stands
    expect(() => admission.enter()).toThrow(expect.objectContaining({ code: 'overloaded' }) as Error);
    release();
    release();
    expect(admission.inFlight).toBe(0);
    admission.enter();
    expect(refusals).toBe(2);
  });
});

describe('accounts of bytes', () => {
  const overloaded = expect.objectContaining({ code: 'overloaded' }) as Error;
  const ended = expect.objectContaining({ code: 'deadline_exceeded' }) as Error;

  it('count what claims hold, up to the bound, until it is given back', () => {
    const admission = new Admission(1, 100, () => undefined);
    const [one, other] = [admission.buffer(), admission.buffer()];
    const [body, answer] = [one.claim(), one.claim()];
    body.grow(50);
    answer.grow(10);
    expect(() => other.check(41)).toThrow(overloaded);
    const rest = other.claim();
    expect(() => rest.grow(41)).toThrow(overloaded);
    rest.grow(40);
    body.free();
    expect(admission.bufferedBytes).toBe(50);
    body.grow(20);
    const release = one.retain();
    one.release();
    expect(admission.bufferedBytes).toBe(70);
    release();
    expect(admission.bufferedBytes).toBe(40);
    other.release();
    expect(admission.bufferedBytes).toBe(0);
  });

  it('are never below what the open ones hold, in whatever order, and however often, a request lets go', () => {
    const seed = Date.now() % 1e9;
    const random = seededRandom(seed);
    const admission = new Admission(1, 1e6, () => undefined);
    const open: { account: ByteAccount; claims: Claim[]; releases: (() => void)[]; held: number[] }[] = [];
    for (let step = 0; step < 5_000; step++) {
      const pick = Math.floor(random() * 8);
      const account = open.length === 0 || (pick < 6 && open.length < 20) ? admission.buffer() : null;
      if (account !== null) open.push({ account, claims: [account.claim()], releases: [account.release], held: [0] });
      const one = open[Math.floor(random() * open.length)]!;
      const at = Math.floor(random() * one.claims.length);
      const action = Math.floor(random() * 6);
      const bytes = Math.floor(random() * 1000);
      if (action <= 1) {
        one.claims[at]!.grow(bytes);
        one.held[at]! += bytes;
      } else if (action === 2) {
        one.claims[at]!.free();
        one.held[at] = 0;
      } else if (action === 3) {
        one.claims.push(one.account.claim());
        one.held.push(0);
      } else if (action === 4) one.releases.push(one.account.retain());
      else {
        for (const release of one.releases) release();
        for (const release of one.releases) release();
        for (const claim of one.claims) {
          expect(() => claim.grow(1)).toThrow(ended);
          claim.free();
        }
        expect(() => one.account.claim().grow(1)).toThrow(ended);
        open.splice(open.indexOf(one), 1);
      }
      const held = open.flatMap((each) => each.held).reduce((sum, each) => sum + each, 0);
      expect(admission.bufferedBytes, `seed ${seed}, step ${step}`).toBe(held);
    }
    for (const { account, releases } of open) [...releases, account.release].forEach((release) => release());
    expect(admission.bufferedBytes).toBe(0);
  });
});

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

it('restarts come at once, then ever later, at once again after a stable time, and soon where clients wait', () => {
  let now = 0;
  const delay = new RestartDelay(() => now);
  const die = (after: number, isWaitedFor = false) => {
    delay.started();
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

it('request ids are taken over when they can forge nothing', () => {
  expect(requestIdOf('abc-123')).toBe('abc-123');
  for (const bad of [undefined, '', 'a b', 'a\nb', '"', 'x'.repeat(129), ['a', 'b']])
    expect(requestIdOf(bad)).toMatch(/^[0-9a-f-]{36}$/);
});

describe('Accept', () => {
  const type = 'application/json';
  it.each([
    undefined,
    '*/*',
    type,
    'application/*',
    'text/html, */*;q=0.1',
    'Application/JSON; charset=utf-8',
    'text/html, application/json;q=0.5',
  ])('%s takes JSON', (accept) => {
    expect(() => checkAccept(accept, type)).not.toThrow();
  });
  it.each([
    'text/html',
    'application/json;q=0',
    '*/*;q=0',
    'application/json;q=0, */*',
    'application/vnd.apache.arrow.stream',
    '',
  ])('%s rules JSON out', (accept) => {
    expect(() => checkAccept(accept, type)).toThrow(expect.objectContaining({ code: 'not_acceptable' }) as Error);
  });
});

describe('Accept, of two types', () => {
  const [json, arrow] = ['application/json', 'application/vnd.apache.arrow.stream'] as const;
  it.each([
    [undefined, json],
    ['*/*', json],
    ['application/*', json],
    [arrow, arrow],
    [`${arrow}, */*`, arrow],
    [`*/*, ${arrow}`, arrow],
    [`${arrow};q=0.5, ${json}`, json],
    [`${arrow};q=0.5, ${json};q=0.4`, arrow],
    [`${arrow};q=0.5, application/*;q=0.8`, json],
    [`${json}, ${arrow}`, json],
    [`${json};q=0, */*;q=0.1`, arrow],
    [`${arrow.toUpperCase()} ; q=1`, arrow],
  ])('%s chooses %s', (accept, type) => {
    expect(chooseType(accept, [json, arrow])).toBe(type);
  });

  it.each(['text/html', `${json};q=0, ${arrow};q=0.0`, 'application/json;q=nonsense'])(
    '%s rules out both',
    (accept) => {
      expect(() => chooseType(accept, [json, arrow])).toThrow(
        expect.objectContaining({ code: 'not_acceptable' }) as Error,
      );
    },
  );
});

it.each([
  ['gzip', true], ['gzip, deflate, br', true], ['x-gzip', true], ['*', true], ['br;q=1, gzip;q=0.1', true], ['GZIP', true],
  [undefined, false], ['', false], ['br', false], ['gzip;q=0', false], ['*, gzip;q=0', false], ['gzip;q=0.5, identity', false],
])('Accept-Encoding %s takes gzip: %s', (header, taken) => {
  expect(acceptsGzip(header)).toBe(taken);
}); // prettier-ignore

it('text in bytes is what was written, however long it grows', () => {
  const text = new TextBytes();
  const parts = ['ascii ', 'x'.repeat(70_000), 'ü, 日本, 😀', 'y'.repeat(40)];
  for (let round = 0; round < 2; round++) {
    for (const part of parts) text.utf8(part);
    text.ascii('short');
    text.ascii('z'.repeat(200_000));
    expect(text.take().toString('utf8')).toBe(`${parts.join('')}short${'z'.repeat(200_000)}`);
  }
  expect(text.take()).toHaveLength(0);
});

describe('vectors', () => {
  const seed = 20_261_123;
  it(`come through JSON and base64 with every bit (seed ${seed})`, () => {
    const float32 = fc.float({ noNaN: true, noDefaultInfinity: true });
    fc.assert(
      fc.property(fc.array(float32), (values) => {
        const vector = Float32Array.from(values);
        expect(readBase64Vector(Buffer.from(vector.buffer).toString('base64'), '/v')).toEqual(vector);
        expect(readJsonVector(JSON.parse(JSON.stringify(values)) as unknown, '/v')).toEqual(
          vector.map((value) => value + 0),
        );
      }),
      { seed },
    );
  });

  it(`are taken as base64 exactly where encoding their bytes again gives the same text (seed ${seed})`, () => {
    const character = fc.constantFrom(...'A Q g w B z 0 9 + / = - _ \n * é'.split(' '), ' ');
    const text = fc.array(character, { maxLength: 24 }).map((characters) => characters.join(''));
    const mended = fc.uint8Array({ maxLength: 18 }).map((bytes) => Buffer.from(bytes).toString('base64'));
    const isTaken = (value: string): boolean => {
      try {
        readBase64Vector(value, '/v');
      } catch (error) {
        return (error as ShortlistError).code !== 'bad_base64';
      }
      return true;
    };
    let taken = 0;
    const property = fc.property(mended, text, fc.nat(), (good, odd, at) => {
      for (const value of [
        good,
        odd,
        good + odd,
        good.slice(0, at % 25) + odd.slice(0, 1) + good.slice((at % 25) + 1),
      ]) {
        const wanted = Buffer.from(value, 'base64').toString('base64') === value;
        if (wanted) taken++;
        expect(isTaken(value), value).toBe(wanted);
      }
    });
    fc.assert(property, { seed, numRuns: 20_000 });
    expect(taken).toBeGreaterThan(20_000);
  });

  it(`are refused as base64 when any character is wrong (seed ${seed})`, () => {
    const good = Buffer.from(new Float32Array([1, 2, 3]).buffer).toString('base64');
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.constantFrom('*', ' ', '\n', '-', '_', 'é'), (at, wrong) => {
        const text = good.slice(0, at) + wrong + good.slice(at + 1);
        expect(() => readBase64Vector(text, '/v')).toThrow(expect.objectContaining({ code: 'bad_base64' }) as Error);
      }),
      { seed },
    );
  });
});

it('connections are old after their time, and not before', () => {
  const server = createServer();
  let now = 0;
  const ages = new ConnectionAges(server, () => now, 1_000);
  const socket = new Socket();
  server.emit('connection', socket);
  expect(ages.isOld(new Socket())).toBe(false);
  now = 874;
  expect(ages.isOld(socket)).toBe(false);
  now = 1_001;
  expect(ages.isOld(socket)).toBe(true);
});
