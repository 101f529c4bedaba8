/**
 * What every command shares: its context (root, where output goes) and its one way of ending. A command returns a result;
 * this file prints it as exactly one JSON object with `--json`, else as the text the command makes of it.
 */
import { InvalidArgumentError, type Command } from 'commander';
import { EXIT } from '../base/errors.js';
import { Progress } from './progress.js';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface GlobalOptions {
  readonly root: string;
  readonly json?: boolean;
  readonly logLevel: LogLevel;
}

export interface CommandContext {
  readonly root: string;
  readonly json: boolean;
  readonly logLevel: LogLevel;
  readonly progress: Progress;
  /** Something to know that does not stop the command; to stderr. */
  readonly warn: (message: string) => void;
  /** A line about what happens; to stderr. */
  note(message: string): void;
}

export interface CommandResult {
  /** The object that `--json` prints. */
  readonly json: Record<string, unknown>;
  /** What a person sees. */
  readonly text: string;
  readonly exit?: number;
}

/** A command's work. A result of null prints nothing: the command has said all there is. */
export type CommandRun<Options extends object> = (
  context: CommandContext,
  options: Options,
  ...args: string[]
) => Promise<CommandResult | null>;

/** Makes a commander action of a function from context, arguments and options to a result. */
export function action<Options extends object>(run: CommandRun<Options>): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const options = command.optsWithGlobals<GlobalOptions & Options>();
    const context = createContext(options);
    const result = await run(context, options, ...(command.processedArgs as string[]));
    context.progress.finish();
    if (result === null) return;
    await print(context.json ? JSON.stringify(result.json) : result.text);
    process.exitCode = result.exit ?? EXIT.done;
  };
}

function createContext(options: GlobalOptions): CommandContext {
  const level = LOG_LEVELS.indexOf(options.logLevel);
  const progress = new Progress(process.stderr, level <= LOG_LEVELS.indexOf('info'));
  const say = (least: LogLevel, text: string) => {
    if (level > LOG_LEVELS.indexOf(least)) return;
    progress.finish();
    process.stderr.write(`${text}\n`);
  };
  return {
    root: options.root,
    json: options.json ?? false,
    logLevel: options.logLevel,
    progress,
    warn: (message) => say('warn', `warning: ${message}`),
    note: (message) => say('info', message),
  };
}

/** Waits until stdout has taken it all: a pipe's reader may be slow, and the process ends right after. */
function print(text: string): Promise<void> {
  return new Promise((resolve) => process.stdout.write(`${text}\n`, () => resolve()));
}

/** A whole number from least to most, for commander. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^[+-]?\d+$/.test(text.trim()) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a whole number from ${least} to ${most}.`);
  };
}

/** A number from least to most, for commander. */
export function numberBetween(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== '' && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Give a number from ${least} to ${most}.`);
  };
}

/** Whole numbers with commas between, each from least to most, for commander. */
export function wholeNumbers(least: number, most: number): (text: string) => number[] {
  const parse = wholeNumber(least, most);
  return (text) => text.split(',').map(parse);
}

/** `listings@20261123T041500Z-3f9c2a1b` as index and version (or alias), the latter where it is given. */
export function parseTarget(target: string): { index: string; ref?: string } {
  const at = target.indexOf('@');
  return at < 0 ? { index: target } : { index: target.slice(0, at), ref: target.slice(at + 1) };
}
