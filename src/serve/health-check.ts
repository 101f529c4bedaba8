/**
 * The container's health check, a separate program. It exits with 0 if every server in the container is live, or if
 * there is none, as in a container that builds. It finds servers by the command lines of processes and reads host and
 * port from their flags and variables, so that it needs no configuration.
 *
 *     node dist/serve/health-check.js [folder of processes, default /proc]
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { SERVE_OPTIONS, readServeOptions } from './channel/options.js';

/** Shorter than the time-out in the Dockerfile. */
const TIMEOUT_MS = 2_500;

/** For addresses that mean all, one that always exists. */
const LOOPBACK: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '[::1]' };

const PROGRAM = /(?:^|\/)cli\/main\.js$|(?:^|\/)shortlist$/;

type Flags = Record<string, unknown>;

/** Base URLs of the servers among the processes in a folder such as /proc. */
function findServers(processes: string): string[] {
  return readdirSync(processes)
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => urlOf(join(processes, name)) ?? []);
}

/** Undefined if the process is not a server, has ended, or chose its port itself. */
function urlOf(process: string): string | undefined {
  const args = readParts(join(process, 'cmdline'));
  const flags = serveFlags(args.slice(args.findIndex((arg) => PROGRAM.test(arg)) + 1));
  if (flags === null || !args.some((arg) => PROGRAM.test(arg))) return undefined;
  const { host, port } = readServeOptions(flags, readEnvironment(process));
  const shown = LOOPBACK[host] ?? (host.includes(':') ? `[${host}]` : host);
  return port === 0 ? undefined : `http://${shown}:${port}`;
}

/** Host and port flags of `serve`; null for another command. */
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

/** Zero-terminated texts as the kernel writes them; empty if the process is gone or belongs to another user. */
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
