/** Query vectors from Arrow files, by the column that the index was built from where the files have it. */
import { isVectorType } from '../ingest/choose-columns.js';
import { resolveInputs } from '../ingest/inputs.js';
import { inspectFile } from '../ingest/plan.js';
import { readQueries, type QueryRows } from '../ingest/read-queries.js';
import type { Manifest } from '../version/manifest.js';

export async function readQueryFiles(
  paths: readonly string[],
  manifest: Manifest,
  column?: string,
): Promise<QueryRows> {
  const vectorColumn = column ?? (await findColumn(paths, manifest.vector.column));
  const { dim, metric } = manifest;
  return readQueries(paths, { dim, metric, ...(vectorColumn !== undefined && { vectorColumn }) });
}

/** The name when the first file has a vector column of it, so that a second vector column does not make the choice unclear. */
async function findColumn(paths: readonly string[], name: string): Promise<string | undefined> {
  const [first] = await resolveInputs(paths);
  if (first === undefined) return undefined;
  const { fields } = await inspectFile(first);
  return fields.find((field) => field.name === name && isVectorType(field.type))?.name;
}
