/** The bound on requests in flight. */
import { describe, expect, it } from 'vitest';
import { Admission } from '../../../src/serve/worker/admission.js';

describe('admission', () => {
  it('a place is free again when all who retained it have released it', () => {
    let refusals = 0;
    const admission = new Admission(1, 100, () => {
      refusals++;
    });
    const slot = admission.acquireSlot();
    expect(() => admission.check()).toThrow(expect.objectContaining({ code: 'overloaded' }) as Error);
    const release = slot.retain();
    slot.release();
    slot.release(); // once more: the other hold stands
    expect(() => admission.acquireSlot()).toThrow(expect.objectContaining({ code: 'overloaded' }) as Error);
    release();
    release();
    expect(admission.inFlight).toBe(0);
    admission.acquireSlot();
    expect(refusals).toBe(2);
  });
});
