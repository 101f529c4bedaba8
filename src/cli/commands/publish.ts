import { Command } from 'commander';
import { ShortlistError, EXIT } from '../../base/errors.js';
import { publishGated } from '../../builder/publish-gated.js';
import { resolveVersion } from '../../version/state/catalog.js';
import { action, parseTarget } from '../command.js';
import { addPublishFlags, gateOptions, requireReason, type PublishFlags } from '../gate-flags.js';
import { describePublished, missingRecord, publishedJson, refusalLine } from '../output/published.js';
import { runningUser } from '../running-user.js';

interface PublishOptions extends PublishFlags {
  readonly dryRun?: boolean;
}

export function publishCommand(): Command {
  const command = new Command('publish')
    .argument('<index@version>', 'version to publish')
    .description('run the gate and publish the version if it passes');
  return addPublishFlags(command)
    .option('--dry-run', 'run the gate and show what would happen; change nothing')
    .action(
      action(async (context, options: PublishOptions, target: string) => {
        const { root } = context;
        const { index, ref } = parseTarget(target);
        if (ref === undefined)
          throw new ShortlistError(
            'usage',
            `no version is given; give one as shortlist publish ${index}@VERSION, see shortlist list ${index}`,
          );
        requireReason(options);
        const version = await resolveVersion(root, index, ref);
        const dryRun = options.dryRun ?? false;
        const published = await publishGated(root, index, version, {
          ...gateOptions(context, options),
          dryRun,
          force: options.force,
          reason: options.reason,
          who: runningUser(),
        });
        const missing = missingRecord(published);
        if (missing !== null) context.warn(missing);
        return {
          json: { index, version, ...publishedJson(published, dryRun) },
          text: describePublished(index, published, dryRun),
          exit: published.accepted ? EXIT.done : EXIT.checkFailed,
          failure: refusalLine(index, published, dryRun),
        };
      }),
    );
}
