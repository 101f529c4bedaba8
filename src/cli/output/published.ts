/** What a publish did, for people and for `--json`. */
import type { ErrorCode } from '../../base/errors.js';
import type { Published } from '../../builder/publish-gated.js';
import { describeRefusal, type GateVerdict } from '../../gate/verdict.js';
import { formatGate } from './gate-table.js';

/** Not an error: CURRENT has moved, and the next publish or rollback completes HISTORY. */
export const HISTORY_NOT_WRITTEN =
  'the version is published, but HISTORY could not be written; the next publish or rollback completes it';

const REFUSAL_NOT_WRITTEN = 'the refusal could not be recorded, so history will not show it';

/** What was not recorded, or null. */
export function missingRecord({ recorded, accepted }: Published): string | null {
  if (recorded) return null;
  return accepted ? HISTORY_NOT_WRITTEN : REFUSAL_NOT_WRITTEN;
}

export function publishedJson(published: Published, dryRun: boolean): Record<string, unknown> {
  const { gate, previous, accepted, forced } = published;
  return {
    previous,
    gate,
    published: accepted && !dryRun,
    ...(forced && { forced }),
    ...(!accepted && gateError(gate)),
    ...(dryRun && { dry_run: true }),
  };
}

export function describePublished(
  index: string,
  { version, previous, accepted, changed, forced, gate }: Published,
  dryRun: boolean,
): string {
  const name = `${index}@${version}`;
  const before = previous ?? 'nothing';
  const verdict = (): string => {
    if (!accepted) return `${describeRefused(name, gate, dryRun)}\n${index} still serves ${before}`;
    if (!changed && !dryRun) return `${name} is already published`;
    const how = forced ? ' although the gate refuses it' : '';
    return dryRun ? `would publish ${name}${how} (now: ${before})` : `published ${name}${how} (before: ${before})`;
  };
  return `${formatGate(gate)}\n${verdict()}`;
}

/** For stderr, in one line; undefined if the gate does not refuse. */
export function refusalLine(
  index: string,
  { version, accepted, gate }: Published,
  dryRun: boolean,
): string | undefined {
  return accepted ? undefined : describeRefused(`${index}@${version}`, gate, dryRun);
}

/** `the gate refused listings@20261123T041500Z-3f9c2a1b: rows is 0 and the limit is 25,000`. */
export function describeRefused(name: string, gate: GateVerdict, isTrial: boolean): string {
  return `the gate ${isTrial ? 'would refuse' : 'refused'} ${name}: ${describeRefusal(gate)}`;
}

/** The `error` member that `--json` prints when the gate refuses. */
export function gateError(gate: GateVerdict): { error?: { code: ErrorCode; message: string } } {
  return gate.pass ? {} : { error: { code: 'gate_failed', message: describeRefusal(gate) } };
}
