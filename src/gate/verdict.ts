/** The verdict of the gate: one entry per check, and whether the version may be published. */
import { specOf, type Bounds, type CheckName, type JudgedBy, type Limits } from './checks.js';

type Verdict = 'pass' | 'warn' | 'fail';

/** Names are those of the JSON output. */
export interface GateCheck {
  /** The check, with its k or filter: `recall@100`. */
  readonly name: string;
  readonly verdict: Verdict;
  /** False if the verdict is `fail`. */
  readonly pass: boolean;
  /** Null if the check was skipped. */
  readonly value: number | null;
  /** The limit that decides: crossed, or the next one that the value could cross. Null if there is none. */
  readonly limit: number | null;
  /** Whether the value must not be below (`min`) or above (`max`) the limit. */
  readonly limit_is?: 'min' | 'max';
  /** The live version's value; null if there is none. */
  readonly live: number | null;
  /** Why it was not measured. */
  readonly skipped?: SkipReason;
  /** What was found, for people. */
  readonly detail?: string;
}

type SkipReason = 'new_embedding';

export interface GateVerdict {
  readonly pass: boolean;
  /** The version that was compared with; null if there is none. */
  readonly live: string | null;
  readonly checks: readonly GateCheck[];
  /** When this content was new: ISO 8601. Earlier than the version if it repeats the live one. */
  readonly content_since?: string;
}

export interface Measured {
  readonly value: number;
  readonly live?: number | null | undefined;
  readonly detail?: string | undefined;
}

/** Judges one value. @param name as in the output: the check's name, possibly with more */
export function judge(check: CheckName, name: string, measured: Measured, limits: Limits): GateCheck {
  const { by } = specOf(check);
  const { value, detail } = measured;
  const live = measured.live ?? null;
  const quantity = quantityOf(by, value, live);
  const isOut = (bounds: Bounds | null): boolean => quantity !== null && bounds !== null && crossed(quantity, bounds) !== null; // prettier-ignore
  const verdict: Verdict = isOut(limits.fail) ? 'fail' : isOut(limits.warn) ? 'warn' : 'pass';
  const bounds = verdict === 'warn' ? limits.warn : limits.fail;
  const side = quantity === null || bounds === null ? null : (crossed(quantity, bounds) ?? nearest(quantity, bounds));
  return {
    name,
    verdict,
    pass: verdict !== 'fail',
    value,
    limit: side === null ? null : inUnitsOfValue(by, bounds![side]!, live),
    ...(side !== null && { limit_is: side }),
    live,
    ...(detail !== undefined && { detail }),
  };
}

export function skipped(name: string, reason: SkipReason): GateCheck {
  return { name, verdict: 'pass', pass: true, value: null, limit: null, live: null, skipped: reason };
}

/** Null if there is nothing to compare with. */
function quantityOf(by: JudgedBy, value: number, live: number | null): number | null {
  if (by === 'value') return value;
  if (live === null) return null;
  if (by === 'difference') return value - live;
  return live === 0 ? (value === 0 ? 1 : Infinity) : value / live;
}

function inUnitsOfValue(by: JudgedBy, bound: number, live: number | null): number {
  if (by === 'value') return bound;
  return by === 'difference' ? bound + live! : bound * live!;
}

/** The bound that the quantity is beyond; null if it is within. A NaN is beyond any bound. */
function crossed(quantity: number, { min, max }: Bounds): 'min' | 'max' | null {
  if (min !== undefined && !(quantity >= min)) return 'min';
  if (max !== undefined && !(quantity <= max)) return 'max';
  return null;
}

function nearest(quantity: number, { min, max }: Bounds): 'min' | 'max' | null {
  if (min === undefined || max === undefined) return min !== undefined ? 'min' : max !== undefined ? 'max' : null;
  return quantity - min <= max - quantity ? 'min' : 'max';
}

export function verdictOf(verdict: Omit<GateVerdict, 'pass'>): GateVerdict {
  return { pass: verdict.checks.every(({ pass }) => pass), ...verdict };
}

/** The reason of a refusal, in one sentence: the first failed check, and the names of the others. */
export function describeRefusal({ checks }: GateVerdict): string {
  const failed = checks.filter(({ pass }) => !pass);
  const first = failed[0];
  if (first === undefined) return 'the gate did not pass';
  const more = failed.length === 1 ? '' : `; ${failed.length - 1} more: ${failed.slice(1).map(({ name }) => name).join(', ')}`; // prettier-ignore
  return `${describeCheck(first)}${more}`;
}

/** `rows is 25,000 and the limit is 40,000 (live 50,000)`, with the detail if there is one. */
export function describeCheck(check: GateCheck): string {
  const { name, value, limit, live, detail } = check;
  if (name === 'verify' && detail !== undefined) return detail;
  const said = [
    `${name} is ${formatValue(name, value)}`,
    ...(limit === null ? [] : [`the limit is ${formatValue(name, limit)}`]),
  ].join(' and ');
  const before = (live ?? null) === null ? '' : ` (live ${formatValue(name, live)})`;
  return `${said}${before}${detail === undefined ? '' : `: ${detail}`}`;
}

/** The check that an entry of the output belongs to: `recall` for `recall@100`. */
function checkOf(name: string): CheckName {
  return name.split(/[@ ]/, 1)[0] as CheckName;
}

/** A value of a check as people read it; bytes as a plain number. */
export function formatValue(name: string, value: number | null): string {
  if (value === null) return '-';
  if (!Number.isFinite(value)) return String(value);
  switch (specOf(checkOf(name)).form) {
    case 'share':
      return `${trim(100 * value, 2)} %`;
    case 'recall':
      return value.toFixed(4);
    case 'number':
      return trim(value, 3);
    default:
      return Math.round(value).toLocaleString('en-US');
  }
}

/** At most so many decimals, and at least two significant digits of a small number. */
function trim(value: number, decimals: number): string {
  if (value !== 0 && Math.abs(value) < 10 ** -decimals) return value.toPrecision(2);
  return String(Number(value.toFixed(decimals)));
}
