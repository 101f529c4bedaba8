/** What the doctor found: one line per check. Names are those of the JSON output. */
export interface Finding {
  readonly name: string;
  readonly verdict: 'pass' | 'warn' | 'fail';
  readonly detail: string;
  /** What to do; absent if nothing is wrong. */
  readonly fix?: string;
}

export function pass(name: string, detail: string): Finding {
  return { name, verdict: 'pass', detail };
}

export function warn(name: string, detail: string, fix: string): Finding {
  return { name, verdict: 'warn', detail, fix };
}

export function fail(name: string, detail: string, fix: string): Finding {
  return { name, verdict: 'fail', detail, fix };
}
