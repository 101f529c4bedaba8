/**
 * Publishes a version: runs the gate, stores its verdict beside the version, and then moves CURRENT. A refusal is
 * recorded too. A person may force a version that the gate refuses, with a reason; a damaged one never goes live.
 */
import { rememberQueries } from '../gate/limits-file.js';
import { runGate, type GateOptions } from '../gate/gate.js';
import { describeRefusal, type GateVerdict } from '../gate/verdict.js';
import { publish, refuse } from '../version/state/publish.js';

export interface PublishGatedOptions extends Omit<GateOptions, 'keepsTruth'> {
  /** Run the gate and all checks without changing anything. */
  readonly dryRun: boolean;
  /** Publish although the gate refuses; `reason` says why. */
  readonly force?: boolean | undefined;
  /** Reason recorded in HISTORY. */
  readonly reason?: string | undefined;
  /** Person or program recorded in HISTORY. */
  readonly who?: string | undefined;
}

export interface Published {
  readonly version: string;
  /** The version published before; null if there was none. */
  readonly previous: string | null;
  /** Whether the version is published now, or would be without the dry run. */
  readonly accepted: boolean;
  /** True if the gate refused and the publish was forced. */
  readonly forced: boolean;
  /** False if CURRENT moved but HISTORY was not written (the next move does it), or a refusal was not recorded. */
  readonly recorded: boolean;
  /** False if the version was published already or was refused. */
  readonly changed: boolean;
  readonly gate: GateVerdict;
}

/** Moves CURRENT only if the gate passes or is overruled. A refusal is a result, not an error. */
export async function publishGated(
  root: string,
  index: string,
  version: string,
  options: PublishGatedOptions,
): Promise<Published> {
  const { dryRun, reason, who, signal, newEmbedding, queries, vectorColumn } = options;
  const gate = await runGate(root, index, version, { ...options, keepsTruth: !dryRun });
  if (queries !== undefined && !dryRun) await rememberQueries(root, index, queries, vectorColumn ?? null);
  const isSound = gate.checks[0]?.pass === true;
  const forced = !gate.pass && options.force === true && isSound;
  const verdict = { ...gate, at: new Date().toISOString(), ...(forced && { forced }) };
  const change = { gate: verdict, newEmbedding, dryRun, reason, who, signal };
  if (!gate.pass && !forced) {
    const { current, recorded } = await refuse(root, index, version, { ...change, refusedBy: describeRefusal(gate) });
    return { version, previous: current, accepted: false, forced, recorded, changed: false, gate };
  }
  const warned = gate.checks.filter(({ verdict }) => verdict === 'warn').map(({ name }) => name);
  const why = { warned, ...(forced && { forced: describeRefusal(gate) }) };
  const { previous, recorded, changed } = await publish(root, index, version, { ...change, ...why });
  return { version, previous, accepted: true, forced, recorded, changed, gate };
}
