/** The options of `gateway`: those of `serve` that concern HTTP and the log, and where the servers are. */
import { isIPv6 } from 'node:net';
import { option, readOptions, SERVE_OPTIONS, type OptionRow, type ServeOptions } from '../channel/options.js';

const SERVE_KEYS = [
  'logLevel',
  'logLevels',
  'host',
  'port',
  'index',
  'maxInFlight',
  'maxBuffered',
  'bodyLimit',
  'requestTimeoutMs',
  'keepAliveTimeoutMs',
  'drainDelayMs',
  'drainTimeoutMs',
  'cors',
  'basePath',
] as const;

interface LeavesOption {
  /** Addresses of the servers that hold shards, as the user gave them. */
  readonly leaves: readonly string[];
}

export type GatewayOptions = Pick<ServeOptions, (typeof SERVE_KEYS)[number]> & LeavesOption;

export const GATEWAY_OPTIONS: readonly OptionRow[] = [
  option<LeavesOption, 'leaves'>(
    'leaves',
    '<address...>',
    'servers that hold shards (serve --shards): host:port, where a name may have many addresses, or an SRV name',
    leafAddresses,
    () => [],
    { defaultText: 'none' },
  ),
  ...SERVE_OPTIONS.filter(({ key }) => (SERVE_KEYS as readonly string[]).includes(key)),
];

/** @throws usage, naming the flag or variable */
export function readGatewayOptions(
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv = {},
): GatewayOptions {
  return readOptions(GATEWAY_OPTIONS, flags, env) as unknown as GatewayOptions;
}

/** `--leaves a:8080 b:8080` and `SHORTLIST_LEAVES=a:8080,b:8080`. */
function leafAddresses(texts: readonly string[]): string[] {
  const addresses = texts.flatMap((text) => text.split(',')).map((address) => address.trim());
  if (!addresses.every((address) => isServiceName(address) || isAddress(address)))
    throw new Error('comma-separated host:port, or names of SRV records such as _http._tcp.leaves.example.com');
  return [...new Set(addresses)];
}

function isServiceName(text: string): boolean {
  return /^_[\w-]+\._(?:tcp|udp)\.[\w.-]+$/.test(text);
}

function isAddress(text: string): boolean {
  const found = /^(?:\[(?<v6>[\da-f:.]+)\]|[\w.-]+):(?<port>\d{1,5})$/i.exec(text);
  if (found === null) return false;
  const { v6, port } = found.groups as { v6?: string; port: string };
  return (v6 === undefined || isIPv6(v6)) && Number(port) >= 1 && Number(port) <= 65_535;
}
