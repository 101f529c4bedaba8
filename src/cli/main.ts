#!/usr/bin/env node
/**
 * The command line. One file a command; this one puts them together and ends every failure the same way: one line on
 * stderr (or one JSON object on stdout with `--json`) and the exit code that the error's code stands for.
 */
import { CommanderError, Option, Command } from 'commander';
import { badRowsOf, formatBadRows } from '../ingest/bad-rows.js';
import { EXIT, serializeError, ShortlistError, type ErrorCode } from '../base/errors.js';
import { TOOL_VERSION } from '../base/tool-version.js';
import { LOG_LEVELS } from './command.js';

const EPILOGUE = `
Exit codes:
  0 done · 1 a check said no · 64 usage · 65 bad input data · 66 index missing or corrupt
  70 bug · 74 input/output · 75 busy, try again

A first index:
  $ shortlist build listings --input listings.arrow --publish
  $ shortlist serve`;

/** Each command's file is loaded when the command line names it: `list` need not wait for a web server to load. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  build: async () => (await import('./build.js')).buildCommand(),
  evaluate: async () => (await import('./evaluate.js')).evaluateCommand(),
  publish: async () => (await import('./publish.js')).publishCommand(),
  rollback: async () => (await import('./rollback.js')).rollbackCommand(),
  list: async () => (await import('./list.js')).listCommand(),
  inspect: async () => (await import('./inspect.js')).inspectCommand(),
  verify: async () => (await import('./verify.js')).verifyCommand(),
  prune: async () => (await import('./prune.js')).pruneCommand(),
  alias: async () => (await import('./alias.js')).aliasCommand(),
  diff: async () => (await import('./diff.js')).diffCommand(),
  query: async () => (await import('./query.js')).queryCommand(),
  batch: async () => (await import('./batch.js')).batchCommand(),
  export: async () => (await import('./export.js')).exportCommand(),
  serve: async () => (await import('./serve.js')).serveCommand(),
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
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .configureOutput({ outputError: () => undefined })
    .showSuggestionAfterError()
    .addHelpText('after', EPILOGUE);
  const named = Object.keys(COMMANDS).filter((name) => args.includes(name));
  for (const name of named.length > 0 ? named : Object.keys(COMMANDS)) {
    program.addCommand((await COMMANDS[name]!()).copyInheritedSettings(program));
  }
  for (const command of [program, ...program.commands]) command.exitOverride();
  return program;
}

async function main(args: readonly string[]): Promise<void> {
  try {
    const program = await createProgram(args);
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    process.exitCode = reportFailure(error, args.includes('--json'));
  }
}

function reportFailure(error: unknown, json: boolean): number {
  const failure = error instanceof CommanderError ? usageError(error) : error;
  if (failure === null) return EXIT.done; // --help and --version were printed
  const { code, message, details } = serializeError(failure);
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, message, ...details } })}\n`);
  else process.stderr.write(`${describeFailure(failure, code, message)}\n`);
  return failure instanceof ShortlistError ? failure.exit : EXIT.bug;
}

/** One line; for rows that break the data contract the first of each kind below it. */
function describeFailure(failure: unknown, code: ErrorCode, message: string): string {
  const line = `shortlist: ${message}${code === 'usage' ? '' : ` (${code})`}`;
  const bad = badRowsOf(failure);
  return bad === null ? line : [line, ...formatBadRows(bad)].join('\n');
}

/** Commander's own complaints, in our words; null where it only printed what was asked for. */
function usageError(error: CommanderError): ShortlistError | null {
  if (error.exitCode === 0) return null;
  if (error.code === 'commander.help') return new ShortlistError('usage', 'name a command; see shortlist --help');
  const message = error.message.replace(/^error: /, '').replace(/\n/g, ' ');
  return new ShortlistError('usage', `${message}; see shortlist --help`);
}

// A reader that closed our pipe (head, less) has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done);
  throw error;
});

await main(process.argv.slice(2));
