/** publish: the gate, its verdict stored beside the version, and only then CURRENT. A refusal is written down too. */
import { publish, refuse } from '../version/state/publish.js';
import { describeRefusal, runGate, type GateOptions, type GateVerdict } from './gate.js';

interface PublishGatedOptions extends Omit<GateOptions, 'keepsTruth'> {
  /** Run the gate and check everything, change nothing. */
  readonly dryRun: boolean;
  /** Why, for HISTORY. */
  readonly reason?: string | undefined;
  /** Who wants it, for HISTORY. */
  readonly who?: string | undefined;
}

export interface Published {
  readonly version: string;
  /** What was published before; null where nothing was. */
  readonly previous: string | null;
  /**
   * False where HISTORY could not be written after CURRENT had moved, which the next move completes; or a refusal not
   * at all.
   */
  readonly recorded: boolean;
  /** False where the version was published already, or was refused. */
  readonly changed: boolean;
  readonly gate: GateVerdict;
}

/** Moves CURRENT only when the gate passes; a refusal is an answer, not an exception. */
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
