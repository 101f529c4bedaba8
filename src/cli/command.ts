/**
 * What all commands share: their context (root, output, progress, signal) and how they end. A command returns a result.
 * With `--json` it is printed as exactly one JSON object, otherwise as text.
 */
import { InvalidArgumentError, Option, type Command } from 'commander';
import { parseByteSize } from '../base/byte-size.js';
import { errnoOf, EXIT, ioError, ShortlistError } from '../base/errors.js';
import { isStoreUrl } from '../store/objects/store-url.js';
import { interruption } from './interrupt.js';
import { lineForm, writeLine, type LineLevel } from './output/log-line.js';
import { Progress } from './output/progress.js';
import { foldLines } from './output/table.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
type LogLevel = (typeof LOG_LEVELS)[number];

interface GlobalOptions {
  readonly root: string;
  readonly json?: boolean;
  readonly logLevel: LogLevel;
}

export interface CommandContext {
  readonly root: string;
  readonly json: boolean;
  readonly logLevel: LogLevel;
  readonly progress: Progress;
  /** Aborted with `interrupted` by Ctrl-C, SIGTERM and SIGHUP. Longer work must then stop. */
  readonly signal: AbortSignal;
  /** For a command that has its own signal handlers. @throws interrupted if a signal arrived before */
  readonly releaseSignals: () => void;
  /** @throws usage if one of the options `names` is given without `needed`, which would ignore it */
  readonly refuseWithout: (names: readonly string[], needed: string) => void;
  /** @throws usage if one of the options `names` is given together with `other`, which would ignore it */
  readonly refuseWith: (names: readonly string[], other: string) => void;
  /** Prints a problem that does not stop the command, to stderr. */
  readonly warn: (message: string) => void;
  /** Prints a line about progress, to stderr. */
  readonly note: (message: string) => void;
}

export interface CommandResult {
  /** Printed with `--json`. */
  readonly json: Record<string, unknown>;
  /** Printed without `--json`. */
  readonly text: string;
  readonly exit?: number;
  /** Why the exit code is not 0, on one line. Printed to stderr, where the log of a job ends with it. */
  readonly failure?: string | undefined;
}

/** The work of a command. Null: the command has printed its output itself. */
type CommandRun<Options extends object> = (
  context: CommandContext,
  options: Options,
  ...args: string[]
) => Promise<CommandResult | null>;

/**
 * Turns a command function into a commander action.
 * @param takesStores whether --root may be the URL of an object store
 */
export function action<Options extends object>(
  run: CommandRun<Options>,
  { takesStores = false }: { readonly takesStores?: boolean } = {},
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const options = command.optsWithGlobals<GlobalOptions & Options>();
    if (!takesStores) refuseStore(options.root, commandPath(command));
    const context = createContext(options, command);
    interruption.setCommand(commandPath(command), context.note);
    context.signal.throwIfAborted();
    const result = await run(context, options, ...(command.processedArgs as string[]));
    context.progress.finish();
    if (result === null) return;
    process.exitCode = result.exit ?? EXIT.done;
    if (result.failure !== undefined) context.warn(result.failure);
    await printLine(context.json ? JSON.stringify(result.json) : foldLines(result.text));
  };
}

/** @throws usage */
function refuseStore(root: string, command: string): void {
  if (!isStoreUrl(root)) return;
  const way = command === 'shortlist serve' ? '--source' : 'shortlist pull INDEX --from';
  const message = `${command} needs a folder as --root, and ${root} is the URL of a store; use ${way} ${root}`;
  throw new ShortlistError('usage', message, { option: '--root' });
}

/** The full name of the command as users type it: `shortlist build`. */
export function commandPath(command: Command): string {
  return command.parent === null ? command.name() : `${commandPath(command.parent)} ${command.name()}`;
}

function createContext(options: GlobalOptions, command: Command): CommandContext {
  const level = LOG_LEVELS.indexOf(options.logLevel);
  const source = command.getOptionValueSourceWithGlobals('logLevel');
  const form = lineForm(source === 'cli' || source === 'env');
  const progress = new Progress(process.stderr, level <= LOG_LEVELS.indexOf('info'), form);
  const print = (lineLevel: LineLevel, text: string) => {
    if (level > LOG_LEVELS.indexOf(lineLevel)) return;
    progress.finish();
    writeLine(process.stderr, form, {
      level: lineLevel,
      text: lineLevel === 'warn' && form === 'text' ? `warning: ${text}` : text,
    });
  };
  return {
    root: options.root,
    json: options.json ?? false,
    logLevel: options.logLevel,
    progress,
    signal: interruption.signal,
    releaseSignals: () => interruption.release(),
    refuseWithout: (names, needed) => refuseOptions(command, names, `without ${flagOf(command, needed)}`, !isGiven(command, needed)), // prettier-ignore
    refuseWith: (names, other) => refuseOptions(command, names, `together with ${flagOf(command, other)}`, isGiven(command, other)), // prettier-ignore
    warn: (message) => print('warn', message),
    note: (message) => print('info', message),
  };
}

/** @param names of options in commander's camel case: `minRecall` */
function refuseOptions(command: Command, names: readonly string[], where: string, refuses: boolean): void {
  const given = names.find((name) => isGiven(command, name));
  if (!refuses || given === undefined) return;
  const message = `${flagOf(command, given)} has no effect ${where}; see ${commandPath(command)} --help`;
  throw new ShortlistError('usage', message, { option: flagOf(command, given) });
}

function isGiven(command: Command, name: string): boolean {
  const source = command.getOptionValueSource(name);
  return source !== undefined && source !== 'default';
}

function flagOf(command: Command, name: string): string {
  const option = command.options.find((candidate) => candidate.attributeName() === name);
  return option?.long ?? option?.short ?? name;
}

/**
 * Resolves when stdout has accepted all bytes, since a pipe may be slow and the process ends right afterwards. A closed
 * pipe (head, less) is no error.
 * @throws io_error, disk_full
 */
export function printLine(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(`${text}\n`, (error) => {
      if (error && errnoOf(error) !== 'EPIPE') reject(ioError('write', 'stdout', error));
      else resolve();
    });
  });
}

/** Parser of sizes such as 1GiB, for commander. */
export function byteSize(min: number): (text: string) => number {
  return (text) => {
    try {
      return parseByteSize(text, min);
    } catch (error) {
      throw new InvalidArgumentError(`Give ${(error as Error).message}.`);
    }
  };
}

/** Parser of whole numbers from min to max, for commander. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^[+-]?\d+$/.test(text.trim()) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`);
  };
}

/** Parser of numbers from min to max, for commander. */
export function numberBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give a number from ${min} to ${max}.`);
  };
}

/** An option that takes several whole numbers, comma-separated; the help shows its default as a user would type it. */
export function wholeNumbersOption(flags: string, text: string, max: number, fallback: readonly number[]): Option {
  return new Option(flags, text).argParser(wholeNumbers(1, max)).default([...fallback], fallback.join(','));
}

/** Parser of comma-separated whole numbers from min to max, for commander. */
function wholeNumbers(min: number, max: number): (text: string) => number[] {
  const parse = wholeNumber(min, max);
  return (text) => text.split(',').map(parse);
}

/** Splits `listings@20261123T041500Z-3f9c2a1b` into index and version or alias, which is optional. */
export function parseTarget(target: string): { index: string; ref?: string } {
  const at = target.indexOf('@');
  return at < 0 ? { index: target } : { index: target.slice(0, at), ref: target.slice(at + 1) };
}
