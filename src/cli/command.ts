/**
 * What every command shares: its context (root, where output goes) and its one way of ending. A command returns a
 * result; this file prints it as exactly one JSON object with `--json`, else as the text the command makes of it.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { parseByteSize } from '../base/byte-size.js';
import { errnoOf, EXIT, ioError, ShortlistError } from '../base/errors.js';
import { interruption } from './interrupt.js';
import { writeLines } from './output/log-line.js';
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
  /** Aborted by Ctrl-C and its like, with an error `interrupted`: what takes more than a moment must heed it. */
  readonly signal: AbortSignal;
  /** For a command that has added handlers of its own for signals. @throws interrupted where one has come before */
  readonly releaseSignals: () => void;
  /** @throws usage where an option of `names` is given and `needed` is not: it would be ignored */
  readonly refuseWithout: (names: readonly string[], needed: string) => void;
  /** @throws usage where an option of `names` is given beside `other`: it would be ignored */
  readonly refuseWith: (names: readonly string[], other: string) => void;
  /** Something to know that does not stop the command; to stderr. */
  readonly warn: (message: string) => void;
  /** A line about what happens; to stderr. */
  readonly note: (message: string) => void;
}

export interface CommandResult {
  /** The object that `--json` prints. */
  readonly json: Record<string, unknown>;
  /** What a person sees. */
  readonly text: string;
  readonly exit?: number;
}

/** A command's work. A result of null prints nothing: the command has said all there is. */
type CommandRun<Options extends object> = (
  context: CommandContext,
  options: Options,
  ...args: string[]
) => Promise<CommandResult | null>;

/** Makes a commander action of a function from context, arguments and options to a result. */
export function action<Options extends object>(run: CommandRun<Options>): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const options = command.optsWithGlobals<GlobalOptions & Options>();
    const context = createContext(options, command);
    interruption.setCommand(commandPath(command), context.note);
    context.signal.throwIfAborted();
    const result = await run(context, options, ...(command.processedArgs as string[]));
    context.progress.finish();
    if (result === null) return;
    process.exitCode = result.exit ?? EXIT.done;
    await printLine(context.json ? JSON.stringify(result.json) : foldLines(result.text));
  };
}

/** `shortlist build`: how a person calls the command. */
export function commandPath(command: Command): string {
  return command.parent === null ? command.name() : `${commandPath(command.parent)} ${command.name()}`;
}

function createContext(options: GlobalOptions, command: Command): CommandContext {
  const level = LOG_LEVELS.indexOf(options.logLevel);
  const progress = new Progress(process.stderr, level <= LOG_LEVELS.indexOf('info'));
  const print = (minLevel: LogLevel, text: string) => {
    if (level > LOG_LEVELS.indexOf(minLevel)) return;
    progress.finish();
    writeLines(process.stderr, text);
  };
  return {
    root: options.root,
    json: options.json ?? false,
    logLevel: options.logLevel,
    progress,
    signal: interruption.signal,
    releaseSignals: () => interruption.release(),
    refuseWithout: (names, needed) => refuseOptions(command, names, `without ${flagOf(command, needed)}`, !isGiven(command, needed)), // prettier-ignore
    refuseWith: (names, other) => refuseOptions(command, names, `beside ${flagOf(command, other)}`, isGiven(command, other)), // prettier-ignore
    warn: (message) => print('warn', `warning: ${message}`),
    note: (message) => print('info', message),
  };
}

/** @param names of options as commander has them: `minRecall` */
function refuseOptions(command: Command, names: readonly string[], where: string, refuses: boolean): void {
  const given = names.find((name) => isGiven(command, name));
  if (!refuses || given === undefined) return;
  const message = `${flagOf(command, given)} means nothing ${where}; see ${commandPath(command)} --help`;
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
 * Waits until stdout has taken it all: a pipe's reader may be slow, and the process ends right after. A reader that
 * closed our pipe (head, less) has seen enough.
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

/** A size such as 1GiB, for commander. */
export function byteSize(min: number): (text: string) => number {
  return (text) => {
    try {
      return parseByteSize(text, min);
    } catch (error) {
      throw new InvalidArgumentError(`Give ${(error as Error).message}.`);
    }
  };
}

/** A whole number from least to most, for commander. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^[+-]?\d+$/.test(text.trim()) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give a whole number from ${min} to ${max}.`);
  };
}

/** A number from least to most, for commander. */
export function numberBetween(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Give a number from ${min} to ${max}.`);
  };
}

/** Whole numbers with commas between, each from least to most, for commander. */
export function wholeNumbers(min: number, max: number): (text: string) => number[] {
  const parse = wholeNumber(min, max);
  return (text) => text.split(',').map(parse);
}

/** `listings@20261123T041500Z-3f9c2a1b` as index and version (or alias), the latter where it is given. */
export function parseTarget(target: string): { index: string; ref?: string } {
  const at = target.indexOf('@');
  return at < 0 ? { index: target } : { index: target.slice(0, at), ref: target.slice(at + 1) };
}
