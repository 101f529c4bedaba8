import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isVersionName, nextVersionName, parseVersionName } from '../../../src/version/sealed/version-name.js';

const HASH = '3f9c2a1b'.padEnd(64, '0');

describe('the name of a version', () => {
  it('is its time and the start of its content digest', () => {
    const name = nextVersionName(new Date('2026-11-23T04:15:00.999Z'), HASH, []);
    expect(name).toBe('20261123T041500Z-3f9c2a1b');
    expect(parseVersionName(name)).toEqual({ time: new Date('2026-11-23T04:15:00Z'), hash: '3f9c2a1b' });
  });

  it('is at least a second after every other, even when the clock was set back', () => {
    const times = fc.array(fc.date({ min: new Date('2020-01-01'), max: new Date('2040-01-01'), noInvalidDate: true }));
    fc.assert(
      fc.property(times, fc.nat(), (clock, salt) => {
        const names: string[] = [];
        clock.forEach((now, i) =>
          names.push(nextVersionName(now, (salt + 31 * i).toString(16).padStart(64, 'f'), names)),
        );
        const seconds = names.map((name) => parseVersionName(name)!.time.getTime() / 1000);
        for (let i = 1; i < names.length; i++) expect(seconds[i]! - seconds[i - 1]!).toBeGreaterThanOrEqual(1);
        expect([...names].sort()).toEqual(names);
        seconds.forEach((second, i) => {
          expect(second).toBeGreaterThanOrEqual(Math.floor(clock[i]!.getTime() / 1000));
        });
      }),
      { seed: 2 },
    );
  });

  it('passes over directories that are named otherwise', () => {
    const others = ['notes', 'CURRENT', '29991231T235959Z-zzzzzzzz'];
    expect(nextVersionName(new Date('2026-01-01T00:00:00Z'), HASH, others)).toBe('20260101T000000Z-3f9c2a1b');
  });

  it.each([
    '', '.', '..', '../20261123T041500Z-3f9c2a1b', '20261123T041500Z-3f9c2a1b/..', '20261123T041500Z-3f9c2a1b\n',
    '20261123T041500Z-3F9C2A1B', '20261123T041500Z-3f9c2a1', '20261323T041500Z-3f9c2a1b', '20260230T041500Z-3f9c2a1b',
    '20261123T241500Z-3f9c2a1b', '20261123T046000Z-3f9c2a1b', 'canary', '.20261123T041500Z-3f9c2a1b',
  ])('is not %j', (text) => expect(isVersionName(text)).toBe(false)); // prettier-ignore

  it('is no name at all for any other text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        if (isVersionName(text)) expect(text).toMatch(/^\d{8}T\d{6}Z-[0-9a-f]{8}$/);
        else expect(parseVersionName(text)).toBeNull();
      }),
      { seed: 3 },
    );
  });
});
