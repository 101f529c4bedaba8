/** What `build` and `assemble` do with a version that is built: publish it if that was asked for, and tell about it. */
import { EXIT, ShortlistError } from '../base/errors.js';
import type { BuildResult } from '../builder/build-options.js';
import type { Planned } from '../builder/forecast/past-builds.js';
import { publishGated } from '../builder/publish-gated.js';
import type { CommandContext, CommandResult } from './command.js';
import { gateOptions, type PublishFlags } from './gate-flags.js';
import { calibrationLine, defaultEfs } from './output/calibration-table.js';
import { formatFigureLine } from './output/figures.js';
import { formatBytes, formatCount, formatDuration, formatPlural } from './output/progress.js';
import { describePublished, missingRecord, publishedJson, refusalLine } from './output/published.js';
import { runningUser } from './running-user.js';

/** @param forget called when nothing more needs what the build left behind */
export async function reportBuilt(
  context: CommandContext,
  result: BuildResult,
  options: PublishFlags & { readonly publish?: boolean },
  forget: () => Promise<void>,
): Promise<CommandResult> {
  const { index, version } = result.manifest;
  const { signal } = context;
  const json = { ...resultJson(result), published: false };
  if (options.publish !== true) {
    await forget();
    return { json, text: `${describe(result)}\npublish it with: shortlist publish ${index}@${version}` };
  }
  const published = await publishGated(context.root, index, version, {
    ...gateOptions(context, options),
    dryRun: false,
    force: options.force,
    reason: options.reason,
    who: runningUser(),
  }).catch((error: unknown) => {
    throw signal.aborted ? interruptedBeforePublish(index, version, error) : error;
  });
  await forget();
  const missing = missingRecord(published);
  if (missing !== null) context.warn(missing);
  return {
    json: { ...json, ...publishedJson(published, false) },
    text: `${describe(result)}\n${describePublished(index, published, false)}`,
    exit: published.accepted ? EXIT.done : EXIT.checkFailed,
    failure: refusalLine(index, published, false),
  };
}

/** The version is complete and need not be built again. */
function interruptedBeforePublish(index: string, version: string, cause: unknown): ShortlistError {
  const message = `interrupted before ${index}@${version} was published; the version is built, publish it with: shortlist publish ${index}@${version}`;
  return new ShortlistError('interrupted', message, { version }, { cause });
}

function resultJson(result: BuildResult): Record<string, unknown> {
  const { manifest, seconds } = result;
  return {
    index: manifest.index,
    version: manifest.version,
    vectors: manifest.count,
    dim: manifest.dim,
    metric: manifest.metric,
    shards: manifest.shards.length,
    bytes: result.bytes,
    seconds,
    stages: result.stages,
    resumed: result.resumed,
    planned: result.planned,
    peak_memory_bytes: result.peakBytes,
    calibrated: result.calibration !== null,
    default_ef: result.calibration === null ? null : defaultEfs(result.calibration),
    figures: manifest.shards.map(({ figures }) => figures),
    rejected: manifest.rejects.total,
    rejects: manifest.rejects.kinds,
    duplicates: manifest.duplicates,
    rejects_file: result.rejectsPath,
    content: manifest.content,
  };
}

function describePlanned({ seconds, peakBytes }: BuildResult, planned: Planned): string {
  const times = (measured: number, foreseen: number): string => (measured / foreseen).toPrecision(2);
  return `planned ${formatDuration(planned.seconds)} and ${formatBytes(planned.memory_bytes)} of memory: it took ${times(seconds, planned.seconds)} and ${times(peakBytes, planned.memory_bytes)} times that`; // prettier-ignore
}

function describe(result: BuildResult): string {
  const { manifest } = result;
  const rate = result.resumed ? '' : ` (${formatCount(Math.round(manifest.count / result.seconds))}/s)`;
  const lines = [
    `built ${manifest.index}@${manifest.version}`,
    `  ${formatCount(manifest.count)} vectors of ${manifest.dim}, ${manifest.metric}, ${formatPlural(manifest.shards.length, 'shard')}, ${formatBytes(result.bytes)}`,
    `  ${formatDuration(result.seconds)}${rate}: ${Object.entries(result.stages).map(([name, seconds]) => `${name} ${formatDuration(seconds)}`).join(', ')}`, // prettier-ignore
  ];
  const figures = formatFigureLine(manifest.shards);
  if (figures !== null) lines.push(`  graph: ${figures} (shortlist inspect explains them)`);
  if (result.calibration !== null) lines.push(`  calibrated: ${calibrationLine(result.calibration)}`);
  if (result.planned !== null) lines.push(`  ${describePlanned(result, result.planned)}`);
  if (manifest.rejects.total > 0) {
    const kinds = Object.entries(manifest.rejects.kinds).map(([kind, count]) => `${formatCount(count)} ${kind}`);
    lines.push(
      `  skipped ${formatPlural(manifest.rejects.total, 'row')}: ${kinds.join(', ')}; listed in ${result.rejectsPath ?? ''}`,
    );
  }
  return lines.join('\n');
}
