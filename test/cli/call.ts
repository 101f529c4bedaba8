/**
 * The command line called within this process, for what it answers: a process of its own takes half a second to start.
 * What only a process shows (signals, pipes, variables read at start, `serve`) is tested with process.ts.
 */
import { execute } from '../../src/cli/program.js';
import type { Outcome } from './process.js';

/** One call at a time: stdout, stderr and the exit code are the process's own. */
let last: Promise<unknown> = Promise.resolve();

export function call(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const outcome = last.then(() => capture(args, env));
  last = outcome.catch(() => undefined);
  return outcome;
}

/** Calls with `--json` and parses the one object that must be on stdout. */
export async function callJson(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; json: Record<string, unknown>; stderr: string }> {
  const { code, stdout, stderr } = await call([...args, '--json'], env);
  return { code, json: JSON.parse(stdout) as Record<string, unknown>, stderr };
}

async function capture(args: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const);
  const stdout = redirect(process.stdout);
  const stderr = redirect(process.stderr);
  Object.assign(process.env, env);
  try {
    await execute(args);
    return { code: Number(process.exitCode ?? 0), stdout: stdout.end(), stderr: stderr.end() };
  } finally {
    stdout.end();
    stderr.end();
    process.exitCode = undefined;
    for (const [name, value] of before)
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
  }
}

/** Collects what is written to the stream until `end`. */
function redirect(stream: NodeJS.WriteStream): { end: () => string } {
  let text = '';
  const write = Object.getOwnPropertyDescriptor(stream, 'write');
  stream.write = (chunk: string | Uint8Array, ...more: unknown[]): boolean => {
    text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    const done = more.at(-1);
    if (typeof done === 'function') process.nextTick(done);
    return true;
  };
  const end = (): string => {
    if (write === undefined) Reflect.deleteProperty(stream, 'write');
    else Object.defineProperty(stream, 'write', write);
    return text;
  };
  return { end };
}
