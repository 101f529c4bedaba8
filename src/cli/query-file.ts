/** Reads query vectors from Arrow files. */
import { readQueries, type QueryRows } from '../ingest/read-queries.js';
import type { CommandContext } from './command.js';
import type { Manifest } from '../version/sealed/manifest.js';

/**
 * @param column name given by the user, which every file must have; by default the column that the index was built
 * from, if a file has it
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
