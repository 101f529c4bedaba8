/**
 * Publishes a version: runs the gate, stores its verdict beside the version, and then moves CURRENT. A refusal is
 * recorded too.
 */
import { publish, refuse } from '../version/state/publish.js';
import { describeRefusal, runGate, type GateOptions, type GateVerdict } from './gate.js';

interface PublishGatedOptions extends Omit<GateOptions, 'keepsTruth'> {
  /** Run the gate and all checks without changing anything. */
  readonly dryRun: boolean;
  /** Reason recorded in HISTORY. */
  readonly reason?: string | undefined;
  /** Person or program recorded in HISTORY. */
  readonly who?: string | undefined;
}

export interface Published {
  readonly version: string;
  /** The version published before; null if there was none. */
  readonly previous: string | null;
  /** False if CURRENT moved but HISTORY was not written (the next move does it), or a refusal was not recorded. */
  readonly recorded: boolean;
  /** False if the version was published already or was refused. */
  readonly changed: boolean;
  readonly gate: GateVerdict;
}

/** Moves CURRENT only if the gate passes. A refusal is a result, not an error. */
export async function publishGated(
  root: string,
  index: string,
  version: string,
  options: PublishGatedOptions,
): Promise<Published> {
  const gate = await runGate(root, index, version, { ...options, keepsTruth: !options.dryRun });
  const { dryRun, reason, who, signal } = options;
  const change = { gate: { ...gate, at: new Date().toISOString() }, dryRun, reason, who, signal };
  if (!gate.pass) {
    const { current, recorded } = await refuse(root, index, version, { ...change, refusedBy: describeRefusal(gate) });
    return { version, previous: current, recorded, changed: false, gate };
  }
  const { previous, recorded, changed } = await publish(root, index, version, change);
  return { version, previous, recorded, changed, gate };
}
