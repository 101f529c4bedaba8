/**
 * The container's health check: a program of its own that ends with 0 where every server in the container is live,
 * and where there is none, as in a container that builds. It finds servers by the command lines of the processes and
 * reads host and port as they did, from flags and variables, so that nothing must be told it.
 *
 *     node dist/serve/health-check.js [folder of processes, default /proc]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SERVE_OPTIONS, readServeOptions } from './channel/options.js';

/** Below the time-out in the Dockerfile. */
const TIMEOUT_MS = 2_500;

/** Addresses that stand for all: of those, the one that is certainly there. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '[::1]' };

const PROGRAM = /(?:^|\/)cli\/main\.js$|(?:^|\/)shortlist$/;

type Flags = Record<string, unknown>;

/** Base URLs of the servers among the processes of a folder such as /proc. */
function findServers(processes: string): string[] {
  return readdirSync(processes)
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => urlOf(join(processes, name)) ?? []);
}

/** Undefined for a process that is no server, has ended meanwhile, or chose its port itself. */
function urlOf(process: string): string | undefined {
  const args = readParts(join(process, 'cmdline'));
  const flags = serveFlags(args.slice(args.findIndex((arg) => PROGRAM.test(arg)) + 1));
  if (flags === null || !args.some((arg) => PROGRAM.test(arg))) return undefined;
  const { host, port } = readServeOptions(flags, readEnvironment(process));
  const shown = LOOPBACK[host] ?? (host.includes(':') ? `[${host}]` : host);
  return port === 0 ? undefined : `http://${shown}:${port}`;
}

/** Host and port as `serve` was given them; null for another command. */
function serveFlags(args: string[]): Flags | null {
  const options = Object.fromEntries(
    SERVE_OPTIONS.map(({ flags }) => [flags.split(' ')[0]!.slice(2), { type: 'string' as const }]),
  );
  const { values, positionals } = parseArgs({ args, options, strict: false, allowPositionals: true });
  if (positionals[0] !== 'serve') return null;
  return Object.fromEntries(['host', 'port'].map((name) => [name, values[name]]));
}

function readEnvironment(process: string): Record<string, string> {
  const pairs = readParts(join(process, 'environ')).map((part): [string, string] => {
    const equals = part.indexOf('=');
    return [part.slice(0, equals), part.slice(equals + 1)];
  });
  return Object.fromEntries(pairs);
}

/** Texts with a zero byte behind each, as the kernel shows them; none of a process that is gone or another user's. */
function readParts(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\0').slice(0, -1);
  } catch {
    return [];
  }
}

async function isLive(url: string): Promise<boolean> {
  try {
    const { ok } = await fetch(`${url}/livez`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    return ok;
  } catch {
    return false;
  }
}

const live = await Promise.all(findServers(process.argv[2] ?? '/proc').map(isLive));
process.exit(live.every(Boolean) ? 0 : 1);
