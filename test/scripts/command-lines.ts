/** Whether command lines that stand in scripts and manifests name commands, options and variables that exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { createProgram } from '../../src/cli/program.js';
import { SERVE_OPTIONS } from '../../src/serve/channel/options.js';

export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

export const readProjectFile = (path: string): string => readFileSync(join(PROJECT, path), 'utf8');

const program = await createProgram([]);

/** @param args as the program gets them, `['push', 'listings', '--to', url]`; values may stand for others @returns what is wrong */
export function faultsOf(args: readonly string[]): string[] {
  const command = program.commands.find((known) => args.includes(known.name()));
  if (command === undefined) return [`no command in: ${args.join(' ')}`];
  const options = [...command.options, ...program.options];
  const flags = args.filter((arg) => /^--?[a-z]/.test(arg)).map((arg) => arg.split('=')[0]!);
  // A bare name, and a call that is shown with `...`, lack what a user would add.
  const isWhole = args.length > 1 && !args.includes('...');
  const unknown = flags.filter((flag) => !options.some(({ long, short }) => flag === long || flag === short));
  const missing = command.options.filter(({ mandatory, long }) => mandatory && !flags.includes(long!));
  return [
    ...unknown.map((flag) => `${command.name()} has no ${flag}`),
    ...(isWhole ? missing.map(({ long }) => `${command.name()} needs ${long}`) : []),
    ...(isWhole ? faultsOfArguments(command, args) : []),
  ];
}

/** Only whether a command that needs an argument has one. */
function faultsOfArguments(command: Command, args: readonly string[]): string[] {
  const needsOne = command.registeredArguments.some(({ required }) => required);
  const next = args[args.indexOf(command.name()) + 1];
  return needsOne && (next === undefined || next.startsWith('-')) ? [`${command.name()} needs an argument`] : [];
}

/** The calls of `shortlist` that a shell script makes, as words. */
export function shellCalls(script: string): string[][] {
  return callsIn(script.replace(/^ *#.*$/gm, '').replace(/ #.*$/gm, ''));
}

/** The calls that words show: between backticks, or in lines that are set apart by four spaces. */
export function shownCalls(text: string): string[][] {
  const shown = text.match(/`shortlist [^`]+`|^(?:#? {4}|#   ).*$/gm) ?? [];
  return shown.flatMap((one) => callsIn(one.replaceAll('`', '')));
}

function callsIn(text: string): string[][] {
  const joined = text.replace(/\\\n\s*/g, '');
  // Not a path, the start of another name, or a value: `cronjob/shortlist-nightly`, `-n shortlist create`.
  return [...joined.matchAll(/(?<![\w/-]|-n )shortlist ((?:--root \S+ )?[a-z][a-z-]+(?: [^\n|>;)]*)?)/g)].map(
    ([, words]) => words!.trim().split(/\s+/),
  );
}

/** Variables that the code reads: those of the server's options, and names that stand in the sources. */
export const variables: ReadonlySet<string> = new Set([
  ...SERVE_OPTIONS.map(({ env }) => env),
  ...readdirSync(join(PROJECT, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .flatMap((path) => readProjectFile(join('src', path)).match(/(?<=')SHORTLIST_[A-Z_]+(?=')/g) ?? []),
]);
