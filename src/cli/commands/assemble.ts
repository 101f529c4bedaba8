import { Command } from 'commander';
import { availableCores } from '../../base/machine.js';
import { assembleParts, forgetParts } from '../../builder/parts/assemble.js';
import { readBuildPlan } from '../../builder/parts/build-plan.js';
import { nodeFiles } from '../../version/disk/files.js';
import { action, byteSize, wholeNumber } from '../command.js';
import { addPublishFlags, PUBLISH_FLAGS, requireReason, type PublishFlags } from '../gate-flags.js';
import { reportBuilt } from '../report-built.js';

interface AssembleCommandOptions extends PublishFlags {
  readonly plan: string;
  readonly threads?: number;
  readonly rejects?: string;
  readonly memoryLimit?: number;
  readonly calibrate: boolean;
  readonly keepParts?: boolean;
  readonly publish?: boolean;
}

export function assembleCommand(): Command {
  const command = new Command('assemble')
    .description('make a version of the shards that the tasks of a plan have built; publish it with --publish')
    .requiredOption('--plan <file>', 'plan that plan-build wrote (required)')
    .option('--threads <n>', 'threads of the calibration (default: all cores)', wholeNumber(1, 1024))
    .option('--rejects <file>', 'file that lists skipped rows (default: in the notes of the version)')
    .option(
      '--memory-limit <size>',
      'refuse to calibrate if it needs more memory, such as 8GiB (default: free memory)',
      byteSize(1),
    )
    .option('--no-calibrate', 'skip the calibration, which measures the ef needed for each recall')
    .option('--keep-parts', 'keep what the tasks have built (default: deleted when the version is complete)')
    .option('--publish', 'run the gate and publish the version if it passes');
  return addPublishFlags(command, 'with --publish: ').action(
    action(async (context, options: AssembleCommandOptions) => {
      context.refuseWithout(PUBLISH_FLAGS, 'publish');
      requireReason(options);
      const { root, signal } = context;
      const plan = await readBuildPlan(options.plan, nodeFiles);
      const result = await assembleParts(plan, {
        root,
        threads: options.threads ?? availableCores(),
        calibrate: options.calibrate,
        rejectsPath: options.rejects,
        memoryLimitBytes: options.memoryLimit,
        onProgress: (stage, done, total, unit) => context.progress.update(stage, done, total, unit),
        signal,
      });
      return reportBuilt(context, result, options, async () => {
        if (options.keepParts !== true) await forgetParts(root, plan);
      });
    }),
  );
}
