/** Liveness and readiness, asked for by a process of its own: the driver's event loop is too busy to tell how long answers take. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('./probe-process.ts', import.meta.url));

export interface Probes {
  /** Milliseconds from the opening of a connection to the whole answer; Infinity where none came. */
  stop(): Promise<number[]>;
}

/** Resolves when the process runs. */
export async function startProbes(port: number): Promise<Probes> {
  const child = fork(SCRIPT, [String(port)], { execArgv: [...process.execArgv] });
  await once(child, 'message');
  return {
    stop: async () => {
      child.send('stop');
      const [taken] = (await once(child, 'message')) as [(number | null)[]];
      await once(child, 'exit');
      return taken.map((ms) => ms ?? Infinity);
    },
  };
}
