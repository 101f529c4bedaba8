import { Command, InvalidArgumentError } from 'commander';
import { parseShardList } from '../../base/shard-list.js';
import { pullVersion } from '../../store/pull.js';
import { storeFiles } from '../../store/store-files.js';
import { resolveVersion } from '../../version/state/catalog.js';
import { action, parseTarget } from '../command.js';
import { describeTransfer } from '../output/transferred.js';
import { withStore } from '../root.js';

interface PullOptions {
  readonly from: string;
  readonly shards?: number[];
}

const HELP = `
A pull publishes nothing. A pull that was stopped continues where it was; files
that another version under the root has are copied from there.`;

export function pullCommand(): Command {
  return new Command('pull')
    .argument('<index[@version]>', 'version or alias to pull (default: the one that the store publishes)')
    .description('copy a version from an object store into the root')
    .requiredOption('--from <url>', 'root in the store: s3://bucket/folder, gs://bucket/folder or file:///folder (required)')
    .option('--shards <list>', 'pull the files of these shards only, such as 0-3 (default: all)', shardList)
    .addHelpText('after', HELP)
    .action(
      action(async ({ root, progress, signal }, { from, shards }: PullOptions, target: string) => {
        const { index, ref } = parseTarget(target);
        const started = performance.now();
        const pulled = await withStore(from, async (store) => {
          const version = await resolveVersion(store.url, index, ref, storeFiles(store));
          return pullVersion(store, root, index, version, {
            shards,
            signal,
            onProgress: (done, total) => progress.update('pull', done, total, 'bytes'),
          });
        });
        const seconds = (performance.now() - started) / 1000;
        return { json: { ...pulled, from, seconds }, text: describeTransfer('pulled', `from ${from}`, pulled, seconds) };
      }),
    ); // prettier-ignore
}

function shardList(text: string): number[] {
  try {
    return parseShardList(text);
  } catch (error) {
    throw new InvalidArgumentError(`it takes ${(error as Error).message}`);
  }
}
