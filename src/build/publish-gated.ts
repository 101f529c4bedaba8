/** publish: the gate, its verdict stored beside the version, and only then CURRENT. */
import { readCurrent, writeNote } from '../version/catalog.js';
import { publish } from '../version/publish.js';
import { runGate, type GateOptions, type GateVerdict } from './gate.js';

export interface PublishGatedOptions extends Omit<GateOptions, 'keepsTruth'> {
  /** Run the gate and check everything, change nothing. */
  readonly dryRun: boolean;
  /** Why, for HISTORY. */
  readonly reason?: string | undefined;
}

export interface Published {
  readonly version: string;
  /** What was published before; null where nothing was. */
  readonly previous: string | null;
  /** False where HISTORY could not be written after CURRENT had moved; the next move completes it. */
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
  const note = { ...gate, at: new Date().toISOString() };
  if (!gate.pass) {
    if (!options.dryRun) await writeNote(root, index, version, 'gate', note);
    return {
      version,
      previous: (await readCurrent(root, index))?.version ?? null,
      recorded: true,
      changed: false,
      gate,
    };
  }
  const { previous, recorded, changed } = await publish(root, index, version, {
    gate: note,
    dryRun: options.dryRun,
    reason: options.reason,
  });
  return { version, previous, recorded, changed, gate };
}
