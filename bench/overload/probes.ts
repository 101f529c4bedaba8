/** Asks for liveness and readiness from another process: the driver's event loop is too busy to time the answers. */
import { fileURLToPath } from 'node:url';
import { startHelper } from '../lib/helper-process.js';

const SCRIPT = fileURLToPath(new URL('./probe-process.ts', import.meta.url));

export interface Probes {
  /** Milliseconds from the opening of a connection to the whole answer; Infinity if none came. */
  stop(): Promise<number[]>;
}

/** Resolves when the process runs. */
export async function startProbes(port: number): Promise<Probes> {
  const helper = startHelper<(number | null)[]>(SCRIPT, [String(port)]);
  await helper.ready();
  return { stop: async () => (await helper.stop()).map((ms) => ms ?? Infinity) };
}
