/** What a build knows about its version before it is sealed, and the key by which an unfinished build is found. */
import { createHash } from 'node:crypto';
import { TOOL_VERSION } from '../base/tool-version.js';
import { countBadRows } from '../ingest/bad-rows.js';
import { filesOfIds } from '../ingest/attached-ids.js';
import type { IngestPlan } from '../ingest/plan.js';
import type { IngestReport } from '../ingest/read-rows.js';
import { MANIFEST_FORMAT, type ManifestDraft } from '../version/sealed/manifest.js';
import { typeName } from '../version/sealed/type-name.js';
import { DEFAULT_MAX_REJECTED, type BuildOptions, type VersionOptions } from './build-options.js';

type PlannedDraft = Omit<ManifestDraft, 'sources' | 'rejects' | 'duplicates' | 'input_norm' | 'stages'>;

export function manifestDraft(
  options: VersionOptions,
  plan: IngestPlan,
  report: Pick<IngestReport, 'files' | 'badRows' | 'meanNorm'>,
  stages: ManifestDraft['stages'],
): ManifestDraft {
  const { badRows } = report;
  const kinds = Object.fromEntries(badRows.kinds.map(({ kind, count }) => [kind, count]));
  return {
    ...plannedDraft(options, plan),
    sources: report.files,
    rejects: { total: badRows.total, kinds },
    duplicates: countBadRows(badRows, 'duplicate_id'),
    input_norm: report.meanNorm,
    stages,
  };
}

/**
 * Digest of everything that decides the version and its notes: two builds with the same key give the same bytes. Files
 * count by path and stamp, so that one that was written to has another key.
 */
export function buildKey(options: VersionOptions & Pick<BuildOptions, 'rejectsPath'>, plan: IngestPlan): string {
  const { attributes, dim } = plan;
  const sources = plan.files.flatMap((file) => [file, ...filesOfIds(file.ids)]);
  const files = sources.map(({ path, bytes, rows, stamp }) => ({ path, bytes, rows, stamp }));
  const format = MANIFEST_FORMAT;
  const what = { format, ...plannedDraft(options, plan), dim, attributes, rejects: options.rejectsPath ?? null, files };
  return createHash('sha256').update(JSON.stringify(what)).digest('hex');
}

function plannedDraft(options: VersionOptions, { ids, idField, idType, vectorField }: IngestPlan): PlannedDraft {
  const { metric, engine, parameters, shards, attributes, dim, castDecimals } = options;
  const { onBadRow, maxRejected = DEFAULT_MAX_REJECTED } = options;
  return {
    tool_version: TOOL_VERSION,
    metric,
    id: { column: idField.name, type: typeName(idType), label: idField.label },
    vector: { column: vectorField.name, type: typeName(vectorField.type), label: vectorField.label },
    engine: { name: engine, parameters: { m: parameters.m, ef_construction: parameters.efConstruction } },
    seed: parameters.seed,
    options: {
      shards,
      attributes,
      on_bad_row: onBadRow,
      ...(onBadRow === 'skip' && { max_rejected: maxRejected }),
      ...(dim !== undefined && { dim }),
      ...(castDecimals === true && { cast_decimals: true }),
      ...(ids !== null && { ids }),
    },
  };
}
