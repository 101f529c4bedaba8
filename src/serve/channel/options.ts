/**
 * The options of `serve` in one table, which defines flags, help, environment variables, defaults and checks. A flag
 * overrides its variable, a variable overrides the default.
 */
import { availableCores, memoryLimitBytes } from '../../base/machine.js';
import { LOG_LEVEL_FORMS, type LogLevelForm } from '../../base/log-levels.js';
import { parseByteSize } from '../../base/byte-size.js';
import { ShortlistError } from '../../base/errors.js';
import { MAX_BODY_BYTES, NAME_PATTERN } from '../../base/limits.js';
import { parseShardList } from '../../base/shard-list.js';
import { parseStoreUrl } from '../../store/objects/store-url.js';
import { isServiceAddress } from './service-variables.js';

const SERVE_LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
type ServeLogLevel = (typeof SERVE_LOG_LEVELS)[number];

export interface ServeOptions {
  readonly root: string;
  readonly logLevel: ServeLogLevel;
  readonly logLevels: LogLevelForm;
  readonly host: string;
  readonly port: number;
  readonly workers: number;
  /** Idle processes that can replace a dead worker: 0 or 1. */
  readonly standby: number;
  /** Indexes to serve; empty: all indexes under the root, including those that appear later. */
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
  /** URL of the object store whose published versions are served; empty: the root is served as it is. */
  readonly source: string;
  readonly sourcePollMs: number;
  readonly cacheLimit: number;
  readonly exactThreads: number;
  readonly scrubRate: number;
  /** Numbers of the shards to hold for a gateway, ascending; empty: all, for clients. */
  readonly shards: readonly number[];
  /** Origins whose pages may send requests; `*` for all, empty for none. */
  readonly cors: readonly string[];
  /** Path under which a proxy publishes the server, `/candidates`; empty: the root. */
  readonly basePath: string;
}

/** One row of the table. `key` is the camel-cased name of the flag; `flags` is in commander's notation. */
export interface OptionRow {
  readonly key: string;
  readonly flags: string;
  readonly env: string;
  readonly help: string;
  /** The default as the help shows it. */
  readonly defaultText: string;
  /** True for options of the whole command line (`--root`, `--log-level`), which the program declares itself. */
  readonly global: boolean;
  readonly fallback: () => unknown;
  /** @throws Error with the allowed values; the caller adds the name of the flag or variable */
  readonly parse: (texts: readonly string[]) => unknown;
}

const MiB = 1024 * 1024;

/** More processes would swap rather than search. The limit also catches a port number given as workers. */
const MAX_WORKERS = 256;

/** A day. Longer times are typing mistakes, and timers overflow at 2^31 ms. */
const MAX_TIMEOUT_MS = 86_400_000;

/** @typeParam Options the options that the row is one of */
export function option<Options, Key extends keyof Options & string>(
  key: Key,
  value: string,
  help: string,
  parse: (texts: readonly string[]) => Options[Key],
  fallback: () => Options[Key],
  extra: { defaultText?: string; global?: boolean } = {},
): OptionRow {
  const flags = `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} ${value}`;
  const env = `SHORTLIST_${key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
  const { defaultText = String(fallback()), global = false } = extra;
  return { key, flags, env, help, defaultText, global, parse, fallback };
}

const serveOption = option as <Key extends keyof ServeOptions>(
  ...row: Parameters<typeof option<ServeOptions, Key>>
) => OptionRow;

export const SERVE_OPTIONS: readonly OptionRow[] = [
  serveOption('root', '<dir>', 'folder of the indexes', nonEmptyText, () => 'indexes', { global: true }),
  serveOption(
    'logLevel',
    '<level>',
    'lowest level to log: debug, info, warn, error or silent',
    oneOf(SERVE_LOG_LEVELS),
    () => 'info',
    {
      global: true,
    },
  ),
  serveOption(
    'logLevels',
    '<form>',
    'form of levels in the log: numbers, words or severity (Google Cloud)',
    oneOf(LOG_LEVEL_FORMS),
    () => 'numbers',
  ),
  serveOption(
    'host',
    '<host>',
    'address to listen on; 0.0.0.0 or :: for all addresses',
    nonEmptyText,
    () => '127.0.0.1',
  ),
  serveOption('port', '<port>', 'port to listen on; 0 for any free port', wholeNumber(0, 65_535), () => 8080),
  serveOption(
    'workers',
    '<n>',
    'number of worker processes; they share vectors and graphs, unless the engine is hnswlib',
    wholeNumber(1, MAX_WORKERS),
    availableCores,
    { defaultText: 'cores' },
  ),
  serveOption(
    'standby',
    '<n>',
    'number of idle processes, 0 or 1, with their code loaded, that can replace a dead worker',
    wholeNumber(0, 1),
    () => 1,
  ),
  serveOption('index', '<name...>', 'indexes to serve', indexNames, () => [], { defaultText: 'all' }),
  // At 1 ms per search, 256 are a quarter of a second of work. Beyond that, clients should try another server.
  serveOption(
    'maxInFlight',
    '<n>',
    'maximum number of concurrent requests per worker; others get 503 overloaded',
    wholeNumber(1, 100_000),
    () => 256,
  ),
  // Four of the largest bodies, three of the largest answers, or thousands of ordinary ones.
  serveOption(
    'maxBuffered',
    '<size>',
    'maximum memory for request bodies and answers per worker; further requests get 503 overloaded',
    byteSize(64 * 1024),
    () => 4 * MAX_BODY_BYTES,
    { defaultText: '192MiB' },
  ),
  serveOption(
    'bodyLimit',
    '<size>',
    'maximum size of a request body',
    byteSize(1024, 1024 * MiB),
    () => MAX_BODY_BYTES,
    {
      defaultText: '48MiB',
    },
  ),
  // Clients give up long before. The limit also ends requests whose bodies arrive very slowly.
  serveOption(
    'requestTimeoutMs',
    '<ms>',
    'time limit for a request to arrive; after that, the same limit applies to its answer',
    wholeNumber(10, MAX_TIMEOUT_MS),
    () => 10_000,
  ),
  // Longer than the 60 s after which common load balancers close idle connections: they must close first.
  serveOption(
    'keepAliveTimeoutMs',
    '<ms>',
    'close a connection after this idle time',
    wholeNumber(100, MAX_TIMEOUT_MS),
    () => 72_000,
  ),
  // Meanwhile answers say `Connection: close`, so that clients close their connections and the server closes none
  // under a request. Orchestrators need a second or two after SIGTERM to inform their proxies. Half of the 10 s after
  // which Docker kills.
  serveOption(
    'drainDelayMs',
    '<ms>',
    'time after SIGTERM during which /readyz returns 503 and requests are still accepted',
    wholeNumber(0, MAX_TIMEOUT_MS),
    () => 5_000,
  ),
  serveOption(
    'drainTimeoutMs',
    '<ms>',
    'time limit for requests in flight to finish after SIGTERM',
    wholeNumber(0, MAX_TIMEOUT_MS),
    () => 10_000,
  ),
  serveOption(
    'loadTimeoutMs',
    '<ms>',
    'time limit for a worker to load a version',
    wholeNumber(100, MAX_TIMEOUT_MS),
    () => 600_000,
  ),
  // No step of a worker takes a tenth of this. The probes of orchestrators give up after about the same time.
  serveOption(
    'workerTimeoutMs',
    '<ms>',
    'replace a worker that has not responded for this time',
    wholeNumber(2_500, MAX_TIMEOUT_MS),
    () => 5_000,
  ),
  // The code of a process is compiled after some 2,000 requests: 1 to 2 s.
  serveOption(
    'warmUpMs',
    '<ms>',
    'maximum time to warm up a new version with test requests before it answers; 0 for none',
    wholeNumber(0, MAX_TIMEOUT_MS),
    () => 5_000,
  ),
  serveOption(
    'memoryLimit',
    '<size>',
    'limit for the versions in all workers, counted once per worker although they share files; a version that does not fit is not loaded',
    byteSize(1),
    memoryLimitBytes,
    { defaultText: "the machine's or container's" },
  ),
  serveOption(
    'source',
    '<url>',
    'object store to follow: s3://bucket/folder, gs://bucket/folder or file:///folder; the root becomes its cache',
    storeUrl,
    () => '',
    { defaultText: 'none' },
  ),
  // A look costs a request for each index and alias: 520,000 a month, some tenths of a dollar.
  serveOption(
    'sourcePollMs',
    '<ms>',
    'time between two looks at the source, give or take a fifth',
    wholeNumber(100, MAX_TIMEOUT_MS),
    () => 5_000,
  ),
  serveOption(
    'cacheLimit',
    '<size>',
    'disk space for versions from the source; beyond it the oldest are deleted, but never one that is published, was before, has an alias or is in use',
    byteSize(0),
    () => 0,
    { defaultText: '0: only those' },
  ),
  serveOption('exactThreads', '<n>', 'threads per worker for exact searches', wholeNumber(1, MAX_WORKERS), () => 1),
  // SHA-256 at this rate takes 1 to 4 % of a core. 100 GB are read in less than two hours.
  serveOption(
    'scrubRate',
    '<size>',
    'bytes per second at which served files are continuously compared with their checksums; 0 for never',
    byteSize(0),
    () => 16 * MiB,
    { defaultText: '16MiB' },
  ),
  serveOption(
    'shards',
    '<list>',
    'shards to hold, such as 0-3 or 0,2: the server then answers only a gateway, which joins several of them',
    shardList,
    () => [],
    { defaultText: 'all' },
  ),
  serveOption(
    'cors',
    '<origin...>',
    'origins whose pages may send requests from a browser; * for all',
    origins,
    () => [],
    {
      defaultText: 'none',
    },
  ),
  serveOption(
    'basePath',
    '<path>',
    'path under which a proxy publishes the server; /docs links to it, and routes work with and without it',
    basePath,
    () => '',
    { defaultText: 'none' },
  ),
];

/**
 * @param flags values from the command line by option key: a text, or a list of texts for a repeatable flag
 * @throws usage, naming the flag or variable
 */
export function readServeOptions(flags: Readonly<Record<string, unknown>>, env: NodeJS.ProcessEnv = {}): ServeOptions {
  return readOptions(SERVE_OPTIONS, flags, env) as unknown as ServeOptions;
}

/** The values of the rows of a table by their keys. @throws as `readServeOptions` */
export function readOptions(
  rows: readonly OptionRow[],
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
): Record<string, unknown> {
  return Object.fromEntries(rows.map((row) => [row.key, readOption(row, flags[row.key], env[row.env])]));
}

function readOption(option: OptionRow, flag: unknown, variable: string | undefined): unknown {
  if (flag !== undefined)
    return parse(option, option.flags.split(' ')[0]!, (Array.isArray(flag) ? flag : [flag]).map(String));
  // An empty variable counts as unset: compose files and unit files write it so.
  if (variable !== undefined && variable !== '' && !isServiceAddress(variable))
    return parse(option, option.env, [variable]);
  return option.fallback();
}

function parse(option: OptionRow, name: string, texts: readonly string[]): unknown {
  try {
    return option.parse(texts);
  } catch (error) {
    const allowed = error instanceof Error ? error.message : String(error);
    throw new ShortlistError('usage', `${name} is '${texts.join(' ')}'; give ${allowed}`, { option: name });
  }
}

function nonEmptyText(texts: readonly string[]): string {
  const value = texts.at(-1) ?? '';
  if (value.trim() === '') throw new Error('a non-empty text');
  return value;
}

function storeUrl(texts: readonly string[]): string {
  const url = texts.at(-1) ?? '';
  try {
    return parseStoreUrl(url).url;
  } catch (error) {
    throw new Error(`the URL of a store: ${(error as Error).message}`, { cause: error });
  }
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

/** `0-3,7`. */
function shardList(texts: readonly string[]): number[] {
  return parseShardList(texts.at(-1) ?? '');
}

/** `--index a b` and `SHORTLIST_INDEX=a,b`. */
function indexNames(texts: readonly string[]): string[] {
  const names = texts.flatMap((given) => given.split(',')).map((name) => name.trim());
  const bad = names.find((name) => !NAME_PATTERN.test(name));
  if (bad !== undefined)
    throw new Error('comma-separated names of lower-case letters, digits, _ and -, each of at most 64 characters');
  return [...new Set(names)];
}

/** `--cors a b` and `SHORTLIST_CORS=a,b`. As browsers send them: without a path and the default port. */
function origins(texts: readonly string[]): string[] {
  const given = texts.flatMap((text) => text.split(',')).map((origin) => origin.trim());
  if (!given.every((origin) => origin === '*' || isOrigin(origin)))
    throw new Error('* or comma-separated origins as browsers send them, such as https://shop.example.com');
  return [...new Set(given)];
}

function isOrigin(text: string): boolean {
  if (!/^[a-z][a-z0-9+.-]*:\/\/[^\s/?#@]+$/.test(text)) return false;
  return !/^https?:/.test(text) || (URL.canParse(text) && new URL(text).origin === text);
}

/** First segments of the server's own routes, which a base path must not begin with. */
const ROUTE_SEGMENTS = ['v1', 'livez', 'readyz', 'metrics', 'docs', 'openapi.json'];

/** Removes a trailing slash. */
function basePath(texts: readonly string[]): string {
  const path = (texts.at(-1) ?? '').replace(/\/$/, '');
  const [, first = ''] = path.split('/');
  if (path !== '' && !/^(?:\/[\w.~-]+)+$/.test(path)) throw new Error('a path such as /candidates');
  if (ROUTE_SEGMENTS.includes(first))
    throw new Error(`a path that does not begin with /${first}, which is one of the server's own routes`);
  return path;
}
