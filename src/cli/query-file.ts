/** Query vectors from Arrow files, by the column that the index was built from where a file has it. */
import { readQueries, type QueryRows } from '../ingest/read-queries.js';
import type { CommandContext } from './command.js';
import type { Manifest } from '../version/sealed/manifest.js';

/**
 * @param column named by the user; every file must have it
 * @param context told what is odd about a file and no fault; its signal is heeded
 */
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
