/** A child process that works beside the driver until it is told to stop, then sends its result. */
import { fork } from 'node:child_process';
import { once } from 'node:events';

export interface HelperProcess<Result> {
  /** Resolves with the first message of the child. */
  ready(): Promise<unknown>;
  stop(): Promise<Result>;
}

export function startHelper<Result>(script: string, args: readonly string[]): HelperProcess<Result> {
  const child = fork(script, args, { execArgv: [...process.execArgv] });
  return {
    ready: () => once(child, 'message'),
    stop: async () => {
      child.send('stop');
      const [result] = (await once(child, 'message')) as [Result];
      await once(child, 'exit');
      return result;
    },
  };
}
