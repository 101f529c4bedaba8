/** The gate's table at terminals of different widths. */
import { afterEach, describe, expect, it } from 'vitest';
import { formatGate } from '../../src/cli/output/gate-table.js';
import type { GateCheck } from '../../src/gate/verdict.js';

const VERSION = '20261128T061926Z-75f78c72';
const CHECKS: readonly GateCheck[] = [
  { name: 'verify', verdict: 'pass', pass: true, value: 0, limit: 0, limit_is: 'max', live: null },
  { name: 'recall_filtered@100 {"category":"jewelry"}', verdict: 'pass', pass: true, value: 0.99, limit: 0.95, limit_is: 'min', live: 0.99 },
  { name: 'rows', verdict: 'fail', pass: false, value: 25_000, limit: 40_000, limit_is: 'min', live: 50_000, detail: `half of the rows of ${VERSION} are gone` },
]; // prettier-ignore

const { isTTY, columns } = process.stdout;
afterEach(() => Object.assign(process.stdout, { isTTY, columns }));

function tableAt(width: number): string[] {
  Object.assign(process.stdout, { isTTY: true, columns: width });
  return formatGate({ pass: false, live: VERSION, checks: CHECKS }).split('\n');
}

describe('the table of the gate', () => {
  it('keeps names whole and fits 80 columns, with what was found below', () => {
    const lines = tableAt(80);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(lines.filter((line) => line.includes(VERSION))).toHaveLength(2);
    expect(lines[lines.indexOf('found:') + 1]).toBe(`  rows: ${CHECKS[2]!.detail!}`);
    expect(lines[2]).toMatch(/^FAIL +rows +25,000 +≥ 40,000 +50,000$/);
  });

  it('has a column of what was found at wide terminals', () => {
    expect(tableAt(140)[2]).toMatch(/^FAIL +rows .*are gone$/);
  });
});
