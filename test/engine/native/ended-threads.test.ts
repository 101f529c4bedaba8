/** A thread of JavaScript may end while the addon works for it: nothing waits for ever, and the process goes on. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeFolder } from '../graphs.js';

const ADDON = fileURLToPath(new URL('../../../src/engine/native/build/Release/shortlist_native.node', import.meta.url));
const PROGRAM = fileURLToPath(new URL('./ended-threads.ts', import.meta.url));
const folder = makeFolder();
afterAll(() => folder.remove());

const ROUNDS = 4;

let stdout: string;

/** One process does all of it in turn: to start it and to build its graph takes longer than the works. */
beforeAll(async () => {
  const program = ['--import', 'tsx', PROGRAM, ADDON, folder.path, 'all', String(ROUNDS)];
  const ended = await promisify(execFile)(process.execPath, program);
  expect(ended.stderr).toBe('');
  stdout = ended.stdout;
});

it.each([
  'a long scan',
  'many short scans',
  'scans of many pools',
  'checks of a file',
  'a build',
  'searches of a mapped file',
  'long searches of a mapped file',
  'scans of a mapped file',
  'an export',
  'a scan, by its own will',
  'a long search, by its own will',
  'a check, by its own will',
])('a thread ends during %s', (work) => {
  const lines = stdout.split('\n').filter((line) => line.startsWith(`${work}: `));
  expect(lines).toEqual([...Array<string>(ROUNDS).fill(`${work}: ended`), `${work}: 0 parts of files are mapped`]);
});
