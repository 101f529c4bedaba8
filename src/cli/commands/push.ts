import { Command } from 'commander';
import { pushVersion } from '../../store/push.js';
import { resolveVersion } from '../../version/state/catalog.js';
import { action, parseTarget } from '../command.js';
import { describeTransfer } from '../output/transferred.js';
import { withStore } from '../root.js';

interface PushOptions {
  readonly to: string;
  readonly overwrite?: boolean;
}

const HELP = `
A push changes nothing that is published. To publish the version in the store:
  $ shortlist publish listings@VERSION --root s3://bucket/indexes`;

export function pushCommand(): Command {
  return new Command('push')
    .argument('<index[@version]>', 'version to push (default: the published one)')
    .description('copy a version to an object store; what the store has already is not sent again')
    .requiredOption('--to <url>', 'root in the store: s3://bucket/folder, gs://bucket/folder or file:///folder (required)')
    .option('--overwrite', 'send every file, also those that the store has')
    .addHelpText('after', HELP)
    .action(
      action(async ({ root, progress, signal }, { to, overwrite }: PushOptions, target: string) => {
        const { index, ref } = parseTarget(target);
        const started = performance.now();
        const pushed = await withStore(to, async (store) => {
          const version = await resolveVersion(root, index, ref);
          return pushVersion(root, index, version, store, {
            overwrite,
            signal,
            onProgress: (done, total) => progress.update('push', done, total, 'bytes'),
          });
        });
        const seconds = (performance.now() - started) / 1000;
        return { json: { ...pushed, to, seconds }, text: describeTransfer('pushed', `to ${to}`, pushed, seconds) };
      }),
    ); // prettier-ignore
}
