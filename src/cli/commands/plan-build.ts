import { Command } from 'commander';
import { planIngest } from '../../ingest/plan.js';
import { writeBuildPlan } from '../../builder/parts/build-plan.js';
import { partitionsOf } from '../../builder/parts/partitions.js';
import { checkName } from '../../version/disk/paths.js';
import { nodeFiles } from '../../version/disk/files.js';
import { action } from '../command.js';
import { addBuildFlags, versionOptions, type BuildFlags } from '../build-flags.js';
import { formatCount, formatPlural } from '../output/progress.js';

interface PlanBuildOptions extends BuildFlags {
  readonly out: string;
  readonly partitioned?: boolean;
}

const HELP = `
Each of N tasks then builds one shard, on any machine that sees the same files and
the same --root; then their parts become a version:
  $ shortlist build-shard --plan PLAN --shard 0        ... --shard N-1
  $ shortlist assemble --plan PLAN --publish`;

export function planBuildCommand(): Command {
  return addBuildFlags(
    new Command('plan-build')
      .argument('<index>', 'name of the index')
      .description('plan a build as an array job, with a task for each shard'),
  )
    .requiredOption('--out <file>', 'plan to write (required)')
    .option(
      '--partitioned',
      'each file is in a folder shard=I, and has only rows of that shard: murmur3 of the id, modulo --shards',
    )
    .addHelpText('after', HELP)
    .action(
      action(async (context, options: PlanBuildOptions, index: string) => {
        checkName('index', index);
        const { input, ids, idColumn, vectorColumn, out, partitioned } = options;
        const version = versionOptions(index, options);
        const { attributes, onBadRow, dim, castDecimals, shards } = version;
        const ingest = await planIngest({
          paths: input,
          attributes,
          onBadRow,
          idColumn,
          ...(dim !== undefined && { dim }),
          ...(castDecimals !== undefined && { castDecimals }),
          ...(ids !== undefined && { ids }),
          ...(vectorColumn !== undefined && { vectorColumn }),
          signal: context.signal,
        });
        for (const warning of ingest.warnings) context.warn(warning);
        const paths = ingest.files.map(({ path }) => path);
        const partitions = partitioned === true ? partitionsOf(paths, shards) : paths.map(() => null);
        const { id } = await writeBuildPlan(out, version, ingest, partitions, nodeFiles);
        const { rows, dim: found } = ingest;
        const json = { index, plan: out, id, shards, files: paths.length, rows, dim: found };
        const text = `planned ${index}: ${formatPlural(rows, 'row')} of ${found === null ? 'unknown length' : formatCount(found)} in ${formatPlural(paths.length, 'file')}, ${formatPlural(shards, 'shard')}: ${out}`; // prettier-ignore
        return { json, text };
      }),
    );
}
