/** A thread of JavaScript may end while the addon works for it: nothing waits for ever, and the process goes on. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';
import { makeFolder } from '../engine/graphs.js';

const ADDON = fileURLToPath(new URL('../../src/engine/native/build/Release/shortlist_native.node', import.meta.url));
const PROGRAM = fileURLToPath(new URL('./ended-threads.ts', import.meta.url));
const folder = makeFolder();
afterAll(() => folder.remove());

const ROUNDS = 4;

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
])('a thread ends during %s', async (work) => {
  const program = ['--import', 'tsx', PROGRAM, ADDON, folder.path, work, String(ROUNDS)];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, program);
  expect(stdout).toBe(`${'ended\n'.repeat(ROUNDS)}0 parts of files are mapped\n`);
  expect(stderr).toBe('');
});
