/** The result file: one section per measurement, each with its environment. */
import { existsSync, readFileSync } from 'node:fs';
import type { Environment } from '../lib/environment.js';
import type { CompareResult } from './sections/compare.js';
import type { ExactResult } from './sections/exact.js';
import type { OpenResult } from './sections/open.js';
import type { SwapResult } from './sections/swap.js';
import { writeJson } from '../lib/write-json.js';

type Measured<Result> = Result & { readonly environment: Environment };

export interface BenchResult {
  /** By the name of the data set. */
  readonly compare?: Readonly<Record<string, Measured<CompareResult>>>;
  readonly exact?: Measured<ExactResult>;
  readonly open?: Measured<OpenResult>;
  readonly swap?: Measured<SwapResult>;
}

/** @returns null where there is no file */
export function readResult(path: string): BenchResult | null {
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as BenchResult) : null;
}

/** Replaces what `found` has; data sets and sections that it lacks stay as they are. */
export function mergeResult(path: string, found: BenchResult): void {
  const before = readResult(path) ?? {};
  const compare = { ...before.compare, ...found.compare };
  const merged = { ...before, ...found, ...(Object.keys(compare).length > 0 && { compare }) };
  writeJson(path, merged);
}
