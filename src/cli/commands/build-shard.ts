import { Command } from 'commander';
import { ShortlistError } from '../../base/errors.js';
import { availableCores } from '../../base/machine.js';
import { MAX_SHARDS } from '../../base/limits.js';
import { buildPart } from '../../builder/parts/build-part.js';
import { readBuildPlan } from '../../builder/parts/build-plan.js';
import { nodeFiles } from '../../version/disk/files.js';
import { TASK_VARIABLES, taskNumber } from '../array-task.js';
import { action, byteSize, wholeNumber } from '../command.js';
import { formatBytes, formatDuration, formatPlural } from '../output/progress.js';

interface BuildShardOptions {
  readonly plan: string;
  readonly shard?: number;
  readonly threads?: number;
  readonly memoryLimit?: number;
}

export function buildShardCommand(): Command {
  return new Command('build-shard')
    .description('build one shard of a plan; it may run again, and twice at once')
    .requiredOption('--plan <file>', 'plan that plan-build wrote (required)')
    .option(
      '--shard <n>',
      `number of the shard, from 0 (default: the number of the array task: ${TASK_VARIABLES.join(', ')})`,
      wholeNumber(0, MAX_SHARDS - 1),
    )
    .option('--threads <n>', 'number of threads (default: all cores)', wholeNumber(1, 1024))
    .option(
      '--memory-limit <size>',
      'refuse to build if it needs more memory, such as 8GiB (default: free memory)',
      byteSize(1),
    )
    .action(
      action(async (context, options: BuildShardOptions) => {
        const started = performance.now();
        const plan = await readBuildPlan(options.plan, nodeFiles);
        const { index, shards } = plan.options;
        const shard = options.shard ?? taskNumber();
        if (shard === null) throw new ShortlistError('usage', `no shard was given: name one with --shard, or run as an array task (${TASK_VARIABLES.join(', ')})`); // prettier-ignore
        if (shard >= shards) throw new ShortlistError('usage', `there is no shard ${shard}: the plan has the shards 0 to ${shards - 1}`, { shard }); // prettier-ignore
        const { part, reused } = await buildPart(plan, {
          root: context.root,
          shard,
          threads: options.threads ?? availableCores(),
          memoryLimitBytes: options.memoryLimit,
          onProgress: (stage, done, total, unit) => context.progress.update(stage, done, total, unit),
          signal: context.signal,
        });
        const seconds = (performance.now() - started) / 1000;
        const { count, files, bad_rows: bad, stages, peak_memory_bytes: peak } = part;
        const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
        if (bad.total > 0) context.warn(`${formatPlural(bad.total, 'row')} of this shard ${bad.total === 1 ? 'is' : 'are'} bad; assemble judges those of all shards`); // prettier-ignore
        const text = reused
          ? `shard ${shard} of ${index} is built already: ${formatPlural(count, 'vector')}, ${formatBytes(bytes)}`
          : `built shard ${shard} of ${index}: ${formatPlural(count, 'vector')}, ${formatBytes(bytes)}, ${formatDuration(seconds)}`;
        const json = { index, shard, vectors: count, files, bytes, bad_rows: bad.total, reused, seconds, stages, peak_memory_bytes: peak }; // prettier-ignore
        return { json, text };
      }),
    );
}
