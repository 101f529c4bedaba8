/**
 * The options of `serve`, in one table: it gives the flags and their help, the environment variables, the defaults
 * and the checks. A flag wins over its variable, a variable over the default.
 */
import { availableCores, memoryLimitBytes } from '../../base/machine.js';
import { parseByteSize } from '../../base/byte-size.js';
import { ShortlistError } from '../../base/errors.js';
import { MAX_BODY_BYTES, NAME_PATTERN } from '../../base/limits.js';
import { isServiceAddress } from './service-variables.js';

const SERVE_LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
type ServeLogLevel = (typeof SERVE_LOG_LEVELS)[number];

/**
 * `numbers`: pino's own, `"level":30`. `words`: `"level":"info"`. `severity`: `"severity":"INFO"`, in Google Cloud's
 * words.
 */
const LOG_LEVEL_FORMS = ['numbers', 'words', 'severity'] as const;
export type LogLevelForm = (typeof LOG_LEVEL_FORMS)[number];

export interface ServeOptions {
  readonly root: string;
  readonly logLevel: ServeLogLevel;
  readonly logLevels: LogLevelForm;
  readonly host: string;
  readonly port: number;
  readonly workers: number;
  /** Processes that wait for a worker to die: 0 or 1. */
  readonly standby: number;
  /** Indexes to serve; empty: every index under the root, those that appear later too. */
  readonly index: readonly string[];
  readonly maxInFlight: number;
  readonly maxBuffered: number;
  readonly bodyLimit: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly drainDelayMs: number;
  readonly drainTimeoutMs: number;
  readonly loadTimeoutMs: number;
  readonly workerTimeoutMs: number;
  readonly warmUpMs: number;
  readonly memoryLimit: number;
  readonly exactThreads: number;
  readonly scrubRate: number;
  /** Origins whose pages may ask; `*` for all, empty for none. */
  readonly cors: readonly string[];
  /** Where a proxy has put the server, `/candidates`; empty: at the root. */
  readonly basePath: string;
}

/** One row of the table. `flags` is commander's notation; its camel-cased name is `key`. */
interface ServeOption {
  readonly key: keyof ServeOptions;
  readonly flags: string;
  readonly env: string;
  readonly help: string;
  /** The default in words, for the help. */
  readonly defaultText: string;
  /** An option of the whole command line (`--root`, `--log-level`), which the program declares for every command. */
  readonly global: boolean;
  readonly fallback: () => unknown;
  /** @throws Error with what is allowed, to which the flag's or variable's name is added */
  readonly parse: (texts: readonly string[]) => unknown;
}

const MiB = 1024 * 1024;

/** Above this a machine swaps processes more than it searches; it also catches a port number given as workers. */
const MAX_WORKERS = 256;

/** A day: longer waits are typing mistakes, and timers overflow at 2^31 ms. */
const MAX_TIMEOUT_MS = 86_400_000;

function option<Key extends keyof ServeOptions>(
  key: Key,
  flags: string,
  help: string,
  parse: (texts: readonly string[]) => ServeOptions[Key],
  fallback: () => ServeOptions[Key],
  extra: { defaultText?: string; global?: boolean } = {},
): ServeOption {
  const env = `SHORTLIST_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
  const { defaultText = String(fallback()), global = false } = extra;
  return { key, flags, env, help, defaultText, global, parse, fallback };
}

export const SERVE_OPTIONS: readonly ServeOption[] = [
  option('root', '--root <dir>', 'folder of the indexes', nonEmptyText, () => 'indexes', { global: true }),
  option('logLevel', '--log-level <level>', 'least level that is logged', oneOf(SERVE_LOG_LEVELS), () => 'info', {
    global: true,
  }),
  option(
    'logLevels',
    '--log-levels <form>',
    'levels in the log as numbers, words, or severity (Google Cloud)',
    oneOf(LOG_LEVEL_FORMS),
    () => 'numbers',
  ),
  option('host', '--host <host>', 'address to listen on; 0.0.0.0 or :: for all', nonEmptyText, () => '127.0.0.1'),
  option('port', '--port <port>', 'port to listen on; 0 for any free one', wholeNumber(0, 65_535), () => 8080),
  option(
    'workers',
    '--workers <n>',
    'processes that answer; vectors and graph are shared, unless the engine is hnswlib',
    wholeNumber(1, MAX_WORKERS),
    availableCores,
    { defaultText: 'cores' },
  ),
  option(
    'standby',
    '--standby <n>',
    'processes that stand by, their code loaded, to take the place of a worker that dies: 0 or 1',
    wholeNumber(0, 1),
    () => 1,
  ),
  option('index', '--index <name...>', 'indexes to serve', indexNames, () => [], { defaultText: 'all' }),
  // At 1 ms a search, 256 are a quarter of a second of work: who comes later does better to try another server.
  option(
    'maxInFlight',
    '--max-in-flight <n>',
    'requests a worker takes at once; more get 503 overloaded',
    wholeNumber(1, 100_000),
    () => 256,
  ),
  // Four of the largest bodies or three of the largest answers, or thousands of ordinary ones: memory that clients
  // can make a worker hold.
  option(
    'maxBuffered',
    '--max-buffered <size>',
    'bytes of request bodies and answers a worker holds at once; more get 503 overloaded',
    byteSize(64 * 1024),
    () => 4 * MAX_BODY_BYTES,
    { defaultText: '192MiB' },
  ),
  option('bodyLimit', '--body-limit <size>', 'largest request body', byteSize(1024, 1024 * MiB), () => MAX_BODY_BYTES, {
    defaultText: '48MiB',
  }),
  // Rankers give up long before; it also ends bodies that trickle in.
  option(
    'requestTimeoutMs',
    '--request-timeout-ms <ms>',
    'time for a request to arrive, and again for its answer',
    wholeNumber(10, MAX_TIMEOUT_MS),
    () => 10_000,
  ),
  // Longer than the 60 s after which common load balancers close idle connections: the side that closes first must be
  // theirs.
  option(
    'keepAliveTimeoutMs',
    '--keep-alive-timeout-ms <ms>',
    'idle time after which a connection is closed',
    wholeNumber(100, MAX_TIMEOUT_MS),
    () => 72_000,
  ),
  // Answers say `Connection: close` meanwhile, so that every connection that is used once in this time is closed by
  // its client and none by the server under a request; and orchestrators, which send SIGTERM while they still tell
  // proxies about it, take a second or two. Half of the 10 s after which Docker kills.
  option(
    'drainDelayMs',
    '--drain-delay-ms <ms>',
    'time after SIGTERM during which /readyz says 503 and requests are still taken',
    wholeNumber(0, MAX_TIMEOUT_MS),
    () => 5_000,
  ),
  option(
    'drainTimeoutMs',
    '--drain-timeout-ms <ms>',
    'time that requests in flight get to finish after SIGTERM',
    wholeNumber(0, MAX_TIMEOUT_MS),
    () => 10_000,
  ),
  option(
    'loadTimeoutMs',
    '--load-timeout-ms <ms>',
    'time that a worker gets to load a version',
    wholeNumber(100, MAX_TIMEOUT_MS),
    () => 600_000,
  ),
  // No step of a worker takes a tenth of it, and an orchestrator's probes give up at about this time.
  option(
    'workerTimeoutMs',
    '--worker-timeout-ms <ms>',
    'time without a sign of life after which a worker is replaced',
    wholeNumber(2_500, MAX_TIMEOUT_MS),
    () => 5_000,
  ),
  // The code of a process is compiled after some 2,000 requests: 1 to 2 s here. Who only tries something out may do
  // without.
  option(
    'warmUpMs',
    '--warm-up-ms <ms>',
    'most time that a worker asks itself, so that a version is warm before it answers; 0 for none',
    wholeNumber(0, MAX_TIMEOUT_MS),
    () => 5_000,
  ),
  option(
    'memoryLimit',
    '--memory-limit <size>',
    'memory for the versions in all workers; one that does not fit is not loaded',
    byteSize(1),
    memoryLimitBytes,
    { defaultText: "the machine's or container's" },
  ),
  option(
    'exactThreads',
    '--exact-threads <n>',
    'threads of each worker for exact searches',
    wholeNumber(1, MAX_WORKERS),
    () => 1,
  ),
  // SHA-256 of so much is 1 to 4 % of a core; 100 GB are read in less than two hours.
  option(
    'scrubRate',
    '--scrub-rate <size>',
    'bytes a second at which what is served is compared with its checksums again and again; 0 for never',
    byteSize(0),
    () => 16 * MiB,
    { defaultText: '16MiB' },
  ),
  option('cors', '--cors <origin...>', 'origins whose pages may ask from a browser; * for all', origins, () => [], {
    defaultText: 'none',
  }),
  option(
    'basePath',
    '--base-path <path>',
    'path under which a proxy shows the server; /docs links there, and routes answer under it and without it',
    basePath,
    () => '',
    { defaultText: 'none' },
  ),
];

/**
 * @param flags what the command line gave, by option key: text, texts for a repeatable flag, or absent
 * @throws usage naming the flag or variable
 */
export function readServeOptions(flags: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv = {}): ServeOptions {
  const values: Record<string, unknown> = {};
  for (const option of SERVE_OPTIONS) values[option.key] = readOption(option, flags[option.key], env[option.env]);
  return values as unknown as ServeOptions;
}

function readOption(option: ServeOption, flag: unknown, variable: string | undefined): unknown {
  if (flag !== undefined)
    return parse(option, option.flags.split(' ')[0]!, (Array.isArray(flag) ? flag : [flag]).map(String));
  // An empty variable is an unset one: that is how compose files and unit files spell it.
  if (variable !== undefined && variable !== '' && !isServiceAddress(variable))
    return parse(option, option.env, [variable]);
  return option.fallback();
}

function parse(option: ServeOption, name: string, texts: readonly string[]): unknown {
  try {
    return option.parse(texts);
  } catch (error) {
    const allowed = error instanceof Error ? error.message : String(error);
    throw new ShortlistError('usage', `${name} is '${texts.join(' ')}'; give ${allowed}`, { option: name });
  }
}

function nonEmptyText(texts: readonly string[]): string {
  const value = texts.at(-1) ?? '';
  if (value.trim() === '') throw new Error('a text that is not empty');
  return value;
}

function oneOf<Choice extends string>(choices: readonly Choice[]): (texts: readonly string[]) => Choice {
  return (texts) => {
    const choice = choices.find((known) => known === texts.at(-1));
    if (choice === undefined) throw new Error(`one of ${choices.join(', ')}`);
    return choice;
  };
}

function wholeNumber(min: number, max: number): (texts: readonly string[]) => number {
  return (texts) => {
    const value = texts.at(-1) ?? '';
    const number = Number(value);
    if (!/^\d{1,15}$/.test(value) || number < min || number > max) {
      throw new Error(`a whole number from ${min} to ${max}`);
    }
    return number;
  };
}

function byteSize(min: number, max?: number): (texts: readonly string[]) => number {
  return (texts) => parseByteSize(texts.at(-1) ?? '', min, max);
}

/** `--index a b` and `SHORTLIST_INDEX=a,b`. */
function indexNames(texts: readonly string[]): string[] {
  const names = texts.flatMap((given) => given.split(',')).map((name) => name.trim());
  const bad = names.find((name) => !NAME_PATTERN.test(name));
  if (bad !== undefined)
    throw new Error('names of small letters, digits, _ and -, at most 64 each, with commas between');
  return [...new Set(names)];
}

/** `--cors a b` and `SHORTLIST_CORS=a,b`. As browsers send them: no path, no port that is the scheme's own. */
function origins(texts: readonly string[]): string[] {
  const given = texts.flatMap((text) => text.split(',')).map((origin) => origin.trim());
  if (!given.every((origin) => origin === '*' || isOrigin(origin)))
    throw new Error('* or origins as browsers send them, such as https://shop.example.com, with commas between');
  return [...new Set(given)];
}

function isOrigin(text: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/.test(text)) return false;
  return !/^https?:/.test(text) || (URL.canParse(text) && new URL(text).origin === text);
}

/** First segments of the server's own routes: a path that begins like one could not be told from it. */
const ROUTE_SEGMENTS = ['v1', 'livez', 'readyz', 'metrics', 'docs', 'openapi.json'];

/** Without its last slash. */
function basePath(texts: readonly string[]): string {
  const path = (texts.at(-1) ?? '').replace(/\/$/, '');
  const [, first = ''] = path.split('/');
  if (path !== '' && !/^(?:\/[\w.~-]+)+$/.test(path)) throw new Error('a path such as /candidates');
  if (ROUTE_SEGMENTS.includes(first))
    throw new Error(`a path that does not begin with a route of the server's own, /${first}`);
  return path;
}
