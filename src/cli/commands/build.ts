import { Command } from 'commander';
import { availableCores } from '../../base/machine.js';
import { buildIndex } from '../../builder/build-index.js';
import type { BuildResult } from '../../builder/build-options.js';
import { forgetBuild } from '../../builder/unfinished.js';
import { action, byteSize, wholeNumber, type CommandContext } from '../command.js';
import { addBuildFlags, versionOptions, type BuildFlags } from '../build-flags.js';
import { addPublishFlags, PUBLISH_FLAGS, requireReason, type PublishFlags } from '../gate-flags.js';
import { reportBuilt } from '../report-built.js';

interface BuildCommandOptions extends BuildFlags, PublishFlags {
  readonly threads?: number;
  readonly rejects?: string;
  readonly memoryLimit?: number;
  readonly resume?: boolean;
  readonly calibrate: boolean;
  readonly publish?: boolean;
}

export function buildCommand(): Command {
  const command = addBuildFlags(
    new Command('build')
      .argument('<index>', 'name of the index')
      .description('build and verify a new version of an index from files of vectors; publish it with --publish'),
  )
    .option('--threads <n>', 'number of threads (default: all cores)', wholeNumber(1, 1024))
    .option('--rejects <file>', 'file that lists skipped rows (default: in the notes of the version)')
    .option(
      '--memory-limit <size>',
      'refuse to build if it needs more memory, such as 8GiB (default: free memory)',
      byteSize(1),
    )
    .option('--resume', 'continue a build of the same input and options that was killed (the default)')
    .option('--no-resume', 'start over, and delete what a killed build has left')
    .option('--no-calibrate', 'skip the calibration, which measures the ef needed for each recall')
    .option('--publish', 'run the gate and publish the version if it passes');
  return addPublishFlags(command, 'with --publish: ').action(
    action(async (context, options: BuildCommandOptions, index: string) => {
      context.refuseWithout(PUBLISH_FLAGS, 'publish');
      requireReason(options);
      const { signal } = context;
      const result = await build(context, index, options, signal);
      return reportBuilt(context, result, options, () => forgetBuild(context.root, index));
    }),
  );
}

function build(
  context: CommandContext,
  index: string,
  options: BuildCommandOptions,
  signal: AbortSignal,
): Promise<BuildResult> {
  return buildIndex({
    ...versionOptions(index, options),
    root: context.root,
    inputs: options.input,
    ids: options.ids,
    idColumn: options.idColumn,
    vectorColumn: options.vectorColumn,
    threads: options.threads ?? availableCores(),
    calibrate: options.calibrate,
    rejectsPath: options.rejects,
    memoryLimitBytes: options.memoryLimit,
    onProgress: (stage, done, total, unit) => context.progress.update(stage, done, total, unit),
    onWarning: (message) => context.warn(message),
    onNote: (message) => context.note(message),
    resume: options.resume,
    publishes: options.publish,
    signal,
  });
}
