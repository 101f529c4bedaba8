/**
 * The command line: assembles the commands and reports every failure in the same way, as one line on stderr (or one
 * JSON object on stdout with `--json`) and the exit code of the error's code.
 */
import { writeSync } from 'node:fs';
import { CommanderError, Option, Command } from 'commander';
import { badRowsOf, formatBadRows } from '../ingest/bad-rows.js';
import { EXIT, serializeError, ShortlistError, type ErrorCode } from '../base/errors.js';
import { TOOL_VERSION } from '../base/tool-version.js';
import { commandPath, LOG_LEVELS, printLine } from './command.js';
import { interruption } from './interrupt.js';
import { formatLine, lineForm, type LineForm, type LogLine } from './output/log-line.js';

const EPILOGUE = `
Exit codes:
  0 success · 1 a check failed · 64 usage error · 65 invalid input data
  66 index missing or corrupt · 70 bug · 74 input/output · 75 busy, try again

To build and serve a first index:
  $ shortlist build listings --input listings.arrow --publish
  $ shortlist serve`;

/** Minimum width of descriptions in help texts: what the longest flags leave of 80 columns. */
const MIN_HELP_WIDTH = 24;

/** A command's file is loaded when the command line names it: `list` must not wait for a web server to load. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  build: async () => (await import('./commands/build.js')).buildCommand(),
  evaluate: async () => (await import('./commands/evaluate.js')).evaluateCommand(),
  publish: async () => (await import('./commands/publish.js')).publishCommand(),
  gate: async () => (await import('./commands/gate.js')).gateCommand(),
  rollback: async () => (await import('./commands/rollback.js')).rollbackCommand(),
  history: async () => (await import('./commands/history.js')).historyCommand(),
  list: async () => (await import('./commands/list.js')).listCommand(),
  inspect: async () => (await import('./commands/inspect.js')).inspectCommand(),
  verify: async () => (await import('./commands/verify.js')).verifyCommand(),
  prune: async () => (await import('./commands/prune.js')).pruneCommand(),
  alias: async () => (await import('./commands/alias.js')).aliasCommand(),
  push: async () => (await import('./commands/push.js')).pushCommand(),
  pull: async () => (await import('./commands/pull.js')).pullCommand(),
  diff: async () => (await import('./commands/diff.js')).diffCommand(),
  query: async () => (await import('./commands/query.js')).queryCommand(),
  batch: async () => (await import('./commands/batch.js')).batchCommand(),
  export: async () => (await import('./commands/export.js')).exportCommand(),
  plan: async () => (await import('./commands/plan.js')).planCommand(),
  'plan-build': async () => (await import('./commands/plan-build.js')).planBuildCommand(),
  'build-shard': async () => (await import('./commands/build-shard.js')).buildShardCommand(),
  assemble: async () => (await import('./commands/assemble.js')).assembleCommand(),
  doctor: async () => (await import('./commands/doctor.js')).doctorCommand(),
  serve: async () => (await import('./commands/serve.js')).serveCommand(),
  gateway: async () => (await import('./commands/gateway.js')).gatewayCommand(),
};

export async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('shortlist')
    .description('Build, check, publish and serve indexes for approximate-nearest-neighbour candidate retrieval.')
    .version(TOOL_VERSION)
    .addOption(
      new Option(
        '--root <dir>',
        'folder of the indexes; list, history, publish, rollback and alias also take the URL of a store',
      )
        .env('SHORTLIST_ROOT')
        .default('indexes'),
    )
    .option('--json', 'print exactly one JSON object on stdout')
    .addOption(
      new Option(
        '--log-level <level>',
        'lowest level of messages to print on stderr, as JSON lines unless stderr is a terminal',
      )
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
    program.addCommand(await COMMANDS[name]!());
  }
  setUp(program, args);
  return program;
}

/** Gives a command and those below it the settings of the program, and our errors. */
function setUp(command: Command, args: readonly string[]): void {
  if (command.parent !== null) command.copyInheritedSettings(command.parent);
  command.exitOverride((error) => {
    if (error.code === 'commander.missingMandatoryOptionValue') refuseUnknownFlag(command, args);
    throw error.exitCode === 0 ? error : usageError(error, commandPath(command));
  });
  for (const inner of command.commands) setUp(inner, args);
}

/** The mandatory flag may be missing because it was misspelt. @throws usage if a flag is unknown */
function refuseUnknownFlag(command: Command, args: readonly string[]): void {
  const { unknown: notOfCommand } = command.parseOptions(args.slice(args.indexOf(command.name()) + 1));
  const unknown = command.parent?.parseOptions(notOfCommand).unknown ?? notOfCommand;
  const flag = unknown.find((arg) => /^-./.test(arg));
  // Not in commander's types: reports the flag with a suggestion.
  if (flag !== undefined) (command as Command & { unknownOption(flag: string): never }).unknownOption(flag);
}

/** Commander's errors as ours. */
function usageError(error: CommanderError, command: string): ShortlistError {
  if (error.code === 'commander.help') return new ShortlistError('usage', 'no command is given; see shortlist --help');
  const message = error.message.replace(/^error: /, '').replace(/\n/g, ' ').replace(/\.$/, ''); // prettier-ignore
  return new ShortlistError('usage', withHelp(message, command));
}

/** Adds where to find help, unless the message already names a command. */
function withHelp(message: string, command: string): string {
  return message.includes('shortlist ') ? message : `${message}; see ${command} --help`;
}

/** Runs the command line of this process, with handlers for uncaught exceptions and signals. Sets the exit code. */
export async function run(args: readonly string[]): Promise<void> {
  // A closed stderr is ignored. Errors of stdout are reported by the code that writes there.
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', () => undefined);
  const report = new FailureReport(args);
  process.on('uncaughtException', (error) => {
    if (process.listenerCount('uncaughtException') === 1) process.exit(report.writeNow(error)); // serve has its own
  });
  interruption.onSecondSignal((error) => void report.writeNow(error));
  await execute(args, report);
  // Interrupted work may have left pending reads, which would keep the process alive.
  if (interruption.signal.aborted) process.exit();
}

/** Executes one command line and reports its failure. Sets the exit code. */
export async function execute(args: readonly string[], report = new FailureReport(args)): Promise<void> {
  try {
    const program = await createProgram(args);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    await report.write(error);
  }
}

/** Reports the failure of a command once. */
class FailureReport {
  private isWritten = false;
  private readonly json: boolean;
  private readonly form: LineForm;

  constructor(args: readonly string[]) {
    this.json = args.includes('--json');
    const asked = args.some((arg) => arg === '--log-level' || arg.startsWith('--log-level='));
    this.form = lineForm(asked || process.env['SHORTLIST_LOG_LEVEL'] !== undefined);
  }

  /** Resolves when it is written. Sets the exit code. */
  async write(error: unknown): Promise<void> {
    const text = this.takeText(error);
    if (text === null) return;
    if (!this.json) process.stderr.write(text);
    else await printLine(text).catch(() => process.stderr.write(`${text}\n`)); // stdout may be what failed
  }

  /** For a process that ends right afterwards. @returns its exit code */
  writeNow(error: unknown): number {
    const text = this.takeText(error);
    try {
      if (text !== null) writeSync(this.json ? 1 : 2, this.json ? `${text}\n` : text);
    } catch {
      // The reader is gone, or too slow.
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
    const line: LogLine = { level: 'error', text: describeFailure(failure, code, message), members: { code } };
    return formatLine(process.stderr, this.form, line, new Date());
  }
}

/** After a signal, every failure is reported as the interruption. Null: nothing failed. */
function failureOf(error: unknown): unknown {
  if (interruption.error !== null) {
    return error instanceof ShortlistError && error.code === 'interrupted' ? error : interruption.error;
  }
  if (error instanceof CommanderError) return null; // --help and --version were printed
  if (!(error instanceof ShortlistError) || error.code !== 'usage') return error;
  return new ShortlistError('usage', withHelp(error.message, interruption.command), error.details, { cause: error });
}

/** One line; for invalid rows, followed by the first of each kind. */
function describeFailure(failure: unknown, code: ErrorCode, message: string): string {
  const line = `shortlist: ${message}${code === 'usage' ? '' : ` (${code})`}`;
  const bad = badRowsOf(failure);
  return bad === null ? line : [line, ...formatBadRows(bad)].join('\n');
}
