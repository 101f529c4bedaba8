/** The bytes that requests make their worker hold. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import { Admission } from '../../../src/serve/worker/admission.js';
import type { ByteAccount, Claim } from '../../../src/serve/request/byte-account.js';

describe('accounts of bytes', () => {
  const overloaded = expect.objectContaining({ code: 'overloaded' }) as Error;
  const ended = expect.objectContaining({ code: 'deadline_exceeded' }) as Error;

  it('count what claims hold, up to the bound, until it is given back', () => {
    const admission = new Admission(1, 100, () => undefined);
    const [one, other] = [admission.openAccount(), admission.openAccount()];
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
      const account = open.length === 0 || (pick < 6 && open.length < 20) ? admission.openAccount() : null;
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
