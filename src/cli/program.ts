/**
 * The command line. One file a command; this one puts them together and ends every failure the same way: one line on
 * stderr (or one JSON object on stdout with `--json`) and the exit code that the error's code stands for.
 */
import { writeSync } from 'node:fs';
import { CommanderError, Option, Command } from 'commander';
import { badRowsOf, formatBadRows } from '../ingest/bad-rows.js';
import { EXIT, serializeError, ShortlistError, type ErrorCode } from '../base/errors.js';
import { TOOL_VERSION } from '../base/tool-version.js';
import { commandPath, LOG_LEVELS, printLine } from './command.js';
import { interruption } from './interrupt.js';
import { formatLines, writeLines } from './output/log-line.js';

const EPILOGUE = `
Exit codes:
  0 done · 1 a check said no · 64 usage · 65 bad input data
  66 index missing or corrupt · 70 bug · 74 input/output · 75 busy, try again

A first index:
  $ shortlist build listings --input listings.arrow --publish
  $ shortlist serve`;

/** Columns that a description may be folded to: at 80 the longest flags leave so many. */
const MIN_HELP_WIDTH = 24;

/** Each command's file is loaded when the command line names it: `list` need not wait for a web server to load. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  build: async () => (await import('./commands/build.js')).buildCommand(),
  evaluate: async () => (await import('./commands/evaluate.js')).evaluateCommand(),
  publish: async () => (await import('./commands/publish.js')).publishCommand(),
  rollback: async () => (await import('./commands/rollback.js')).rollbackCommand(),
  history: async () => (await import('./commands/history.js')).historyCommand(),
  list: async () => (await import('./commands/list.js')).listCommand(),
  inspect: async () => (await import('./commands/inspect.js')).inspectCommand(),
  verify: async () => (await import('./commands/verify.js')).verifyCommand(),
  prune: async () => (await import('./commands/prune.js')).pruneCommand(),
  alias: async () => (await import('./commands/alias.js')).aliasCommand(),
  diff: async () => (await import('./commands/diff.js')).diffCommand(),
  query: async () => (await import('./commands/query.js')).queryCommand(),
  batch: async () => (await import('./commands/batch.js')).batchCommand(),
  export: async () => (await import('./commands/export.js')).exportCommand(),
  serve: async () => (await import('./commands/serve.js')).serveCommand(),
};

async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('shortlist')
    .description('Builds, checks, publishes and serves indexes for approximate-nearest-neighbour candidate retrieval.')
    .version(TOOL_VERSION)
    .addOption(new Option('--root <dir>', 'folder that holds the indexes').env('SHORTLIST_ROOT').default('indexes'))
    .option('--json', 'print exactly one JSON object on stdout')
    .addOption(
      new Option('--log-level <level>', 'how much to say on stderr')
        .choices(LOG_LEVELS)
        .env('SHORTLIST_LOG_LEVEL')
        .default('info'),
    )
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false, minWidthToWrap: MIN_HELP_WIDTH })
    .configureOutput({ outputError: () => undefined })
    .showSuggestionAfterError()
    .addHelpText('after', EPILOGUE);
  const named = Object.keys(COMMANDS).filter((name) => args.includes(name));
  for (const name of named.length > 0 ? named : Object.keys(COMMANDS)) {
    program.addCommand((await COMMANDS[name]!()).copyInheritedSettings(program));
  }
  for (const command of [program, ...program.commands]) {
    command.exitOverride((error) => {
      if (error.code === 'commander.missingMandatoryOptionValue') refuseUnknownFlag(command, args);
      throw error.exitCode === 0 ? error : usageError(error, commandPath(command));
    });
  }
  return program;
}

/** A flag that is missing may be there and misspelt. @throws usage where one is unknown */
function refuseUnknownFlag(command: Command, args: readonly string[]): void {
  const { unknown: notOfCommand } = command.parseOptions(args.slice(args.indexOf(command.name()) + 1));
  const unknown = command.parent?.parseOptions(notOfCommand).unknown ?? notOfCommand;
  const flag = unknown.find((arg) => /^-./.test(arg));
  // Not among its types: it says what was probably meant, and ends as every usage error.
  if (flag !== undefined) (command as Command & { unknownOption(flag: string): never }).unknownOption(flag);
}

/** Commander's own complaints, in our words. */
function usageError(error: CommanderError, command: string): ShortlistError {
  if (error.code === 'commander.help') return new ShortlistError('usage', 'name a command; see shortlist --help');
  const message = error.message.replace(/^error: /, '').replace(/\n/g, ' ').replace(/\.$/, ''); // prettier-ignore
  return new ShortlistError('usage', withHelp(message, command));
}

/** Who is told what is wrong is told where it says what would be right. */
function withHelp(message: string, command: string): string {
  return message.includes('shortlist ') ? message : `${message}; see ${command} --help`;
}

/** The process's one command line: what nobody catches is told too, and a signal ends it. Sets the exit code. */
export async function run(args: readonly string[]): Promise<void> {
  // Whoever closed our stderr does not want to read it; what stdout refuses is told where it is written.
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', () => undefined);
  const report = new FailureReport(args.includes('--json'));
  process.on('uncaughtException', (error) => {
    if (process.listenerCount('uncaughtException') === 1) process.exit(report.writeNow(error)); // serve has its own
  });
  interruption.onSecondSignal((error) => void report.writeNow(error));
  await execute(args, report);
  // What was asked to stop may leave reads behind that nobody waits for.
  if (interruption.signal.aborted) process.exit();
}

/** Executes one command line, its failure told. Sets the exit code. */
export async function execute(
  args: readonly string[],
  report = new FailureReport(args.includes('--json')),
): Promise<void> {
  try {
    const program = await createProgram(args);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    await report.write(error);
  }
}

/** A command fails once, and says so once. */
class FailureReport {
  private isWritten = false;

  constructor(private readonly json: boolean) {}

  /** Waits until it is written. Sets the exit code. */
  async write(error: unknown): Promise<void> {
    const text = this.takeText(error);
    if (text === null) return;
    if (!this.json) process.stderr.write(text);
    else await printLine(text).catch(() => writeLines(process.stderr, text)); // stdout may be what failed
  }

  /** For a process that ends right after. @returns its exit code */
  writeNow(error: unknown): number {
    const text = this.takeText(error);
    try {
      if (text !== null) writeSync(this.json ? 1 : 2, this.json ? `${text}\n` : text);
    } catch {
      // The reader has gone, or is too slow to be waited for.
    }
    return Number(process.exitCode ?? EXIT.bug);
  }

  private takeText(error: unknown): string | null {
    const failure = failureOf(error);
    if (failure === null || this.isWritten) return null;
    this.isWritten = true;
    process.exitCode = failure instanceof ShortlistError ? failure.exit : EXIT.bug;
    const { code, message, details } = serializeError(failure);
    if (this.json) return JSON.stringify({ error: { code, message, ...details } });
    return formatLines(process.stderr, describeFailure(failure, code, message), new Date());
  }
}

/** Whatever work fails with once it was asked to stop is the stop. Null where nothing failed. */
function failureOf(error: unknown): unknown {
  if (interruption.error !== null) {
    return error instanceof ShortlistError && error.code === 'interrupted' ? error : interruption.error;
  }
  if (error instanceof CommanderError) return null; // --help and --version were printed
  if (!(error instanceof ShortlistError) || error.code !== 'usage') return error;
  return new ShortlistError('usage', withHelp(error.message, interruption.command), error.details, { cause: error });
}

/** One line; for rows that break the data contract the first of each kind below it. */
function describeFailure(failure: unknown, code: ErrorCode, message: string): string {
  const line = `shortlist: ${message}${code === 'usage' ? '' : ` (${code})`}`;
  const bad = badRowsOf(failure);
  return bad === null ? line : [line, ...formatBadRows(bad)].join('\n');
}
