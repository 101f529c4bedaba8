/** publish: the gate, its verdict stored beside the version, and only then CURRENT. */
import { readCurrent, writeNote } from '../version/catalog.js';
import { publish } from '../version/publish.js';
import { runGate, type GateOptions, type GateVerdict } from './gate.js';

export interface PublishGatedOptions extends GateOptions {
  /** Run the gate and change nothing. */
  readonly dryRun: boolean;
}

export interface Published {
  readonly version: string;
  /** What was published before; null where nothing was. */
  readonly previous: string | null;
  readonly gate: GateVerdict;
}

/** Moves CURRENT only when the gate passes; a refusal is an answer, not an exception. */
export async function publishGated(
  root: string,
  index: string,
  version: string,
  options: PublishGatedOptions,
): Promise<Published> {
  const gate = await runGate(root, index, version, options);
  const note = { ...gate, at: new Date().toISOString() };
  if (!gate.pass || options.dryRun) {
    if (!options.dryRun) await writeNote(root, index, version, 'gate', note);
    return { version, previous: (await readCurrent(root, index))?.version ?? null, gate };
  }
  const moved = await publish(root, index, version, { gate: note });
  return { version, previous: moved.previous, gate };
}
