/** Compiles peers/hnswlib.cc against the headers of hnswlib-node for this processor, once per run. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PROJECT } from '../lib/library.js';

const SOURCE = fileURLToPath(new URL('./peers/hnswlib.cc', import.meta.url));
const HEADERS = join(PROJECT, 'node_modules/hnswlib-node/src/hnswlib');

let compiled: Promise<string> | null = null;

/** @returns the program, which is removed when this process ends */
export function compileHnswlib(): Promise<string> {
  compiled ??= compile();
  return compiled;
}

async function compile(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'shortlist-bench-hnswlib-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const program = join(folder, 'hnswlib');
  const flags = ['-std=c++17', '-O3', '-march=native', '-pthread', '-w', '-I', HEADERS];
  await promisify(execFile)(process.env['CXX'] ?? 'c++', [...flags, SOURCE, '-o', program]);
  return program;
}
