/** Shares of rows that changed, by group. The worst group, beyond what chance can do, is the value of a check. */
import { chanceOfShare } from './chance.js';
import type { CheckName } from './checks.js';
import type { Report } from './report.js';

/** Groups of fewer rows say nothing. */
export const MIN_ROWS = 50;

export interface ChangedShare {
  readonly name: string;
  rows: number;
  changed: number;
}

export function countRow(share: ChangedShare, isChanged: boolean): void {
  share.rows++;
  if (isChanged) share.changed++;
}

export function judgeWorst(check: CheckName, shares: readonly ChangedShare[], report: Report): void {
  const [worst] = shares
    .filter(({ rows }) => rows >= MIN_ROWS)
    .map(({ name, rows, changed }) => {
      const value = changed / rows;
      return { value, chance: chanceOfShare(value, rows), detail: name };
    })
    .sort((a, b) => b.value - b.chance - (a.value - a.chance));
  if (worst !== undefined) report.add(check, worst);
}
