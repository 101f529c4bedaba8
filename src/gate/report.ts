/** Collects the checks of one run: judges each value by the limits of the index, and skips what must be skipped. */
import { specOf, type CheckName } from './checks.js';
import type { GateLimits } from './limits-file.js';
import { judge, skipped, type GateCheck, type Measured } from './verdict.js';

export class Report {
  readonly checks: GateCheck[] = [];

  constructor(
    readonly limits: GateLimits,
    /** The version has vectors of a new model: comparisons of vectors are skipped. */
    private readonly newEmbedding: boolean,
  ) {}

  /** @param suffix what distinguishes several entries of one check, such as `@100` */
  add(check: CheckName, measured: Measured, suffix = ''): void {
    this.checks.push(judge(check, `${check}${suffix}`, measured, this.limits.checks[check]));
  }

  /** Lists the check as skipped if the run skips it. @returns whether it does */
  skips(check: CheckName): boolean {
    if (!this.newEmbedding || specOf(check).ofEmbedding !== true) return false;
    this.checks.push(skipped(check, 'new_embedding'));
    return true;
  }
}
