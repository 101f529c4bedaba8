/** Reads query vectors from files. */
import { readQueries, type QueryRows } from '../ingest/read-queries.js';
import type { CommandContext } from './command.js';
import type { Manifest } from '../version/sealed/manifest.js';

/** @param column given by the user, required in every file; default: the one the index was built from, if present */
export function readQueryFiles(
  paths: readonly string[],
  manifest: Manifest,
  column: string | undefined,
  { signal, warn }: Pick<CommandContext, 'signal' | 'warn'>,
): Promise<QueryRows> {
  const { dim, metric, vector } = manifest;
  const named = column === undefined ? { preferredColumn: vector.column } : { vectorColumn: column };
  return readQueries(paths, { dim, metric, signal, onWarning: warn, ...named });
}
