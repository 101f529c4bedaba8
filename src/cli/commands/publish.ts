import { createHash } from 'node:crypto';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { ShortlistError, EXIT } from '../../base/errors.js';
import { publishGated, type Published, type PublishGatedOptions } from '../../builder/publish-gated.js';
import type { ObjectStore } from '../../store/objects/object-store.js';
import { isStoreUrl } from '../../store/objects/store-url.js';
import { resolveVersion } from '../../version/state/catalog.js';
import { action, parseTarget } from '../command.js';
import { addPublishFlags, gateOptions, requireReason, type PublishFlags } from '../gate-flags.js';
import { describePublished, missingRecord, publishedJson, refusalLine } from '../output/published.js';
import { withRoot } from '../root.js';
import { runningUser } from '../running-user.js';

interface PublishOptions extends PublishFlags {
  readonly dryRun?: boolean;
  readonly cache?: string;
}

const HELP = `
In a store (--root s3://..., gs://..., file://...) the gate needs the files of
the version and of the published one. What is missing is pulled into the folder
of --cache. On the machine that built the version, give the root of the build.`;

export function publishCommand(): Command {
  const command = new Command('publish')
    .argument('<index@version>', 'version to publish')
    .description('run the gate and publish the version if it passes');
  return addPublishFlags(command)
    .option('--dry-run', 'run the gate and show what would happen; change nothing')
    .option('--cache <dir>', 'with a store as --root: folder with versions, for the gate (default: one below ~/.cache)')
    .addHelpText('after', HELP)
    .action(
      action(
        async (context, options: PublishOptions, target: string) => {
          const { root } = context;
          if (options.cache !== undefined && !isStoreUrl(root)) {
            const message = `--cache has no effect while --root is a folder, ${root}; see shortlist publish --help`;
            throw new ShortlistError('usage', message, { option: '--cache' });
          }
          const { index, ref } = parseTarget(target);
          if (ref === undefined)
            throw new ShortlistError(
              'usage',
              `no version is given; give one as shortlist publish ${index}@VERSION, see shortlist list ${index}`,
            );
          requireReason(options);
          const dryRun = options.dryRun ?? false;
          const { force, reason } = options;
          const how = { ...gateOptions(context, options), dryRun, force, reason, who: runningUser() };
          const published = await withRoot(root, async (opened) => {
            const version = await resolveVersion(opened.root, index, ref, opened.files);
            if (opened.store === null) return publishGated(opened.root, index, version, how);
            return publishInCache(opened.store, index, version, options.cache, how);
          });
          const { version } = published;
          const missing = missingRecord(published);
          if (missing !== null) context.warn(missing);
          return {
            json: { index, version, ...publishedJson(published, dryRun) },
            text: describePublished(index, published, dryRun),
            exit: published.accepted ? EXIT.done : EXIT.checkFailed,
            failure: refusalLine(index, published, dryRun),
          };
        },
        { takesStores: true },
      ),
    );
}

/** The default cache is a folder for each store. It keeps only the versions that the last publish needed. */
async function publishInCache(
  store: ObjectStore,
  index: string,
  version: string,
  cache: string | undefined,
  options: PublishGatedOptions,
): Promise<Published> {
  const { publishGatedInStore } = await import('../../builder/publish-in-store.js');
  if (cache !== undefined) return publishGatedInStore(store, cache, index, version, options);
  const { makeRoom } = await import('../../store/cache.js');
  const name = createHash('sha256').update(store.url).digest('hex').slice(0, 16);
  const folder = join(homedir(), '.cache', 'shortlist', name);
  const published = await publishGatedInStore(store, folder, index, version, options);
  const needed = [version, published.gate.live];
  const isInUse = (of: string, cached: string): boolean => of === index && needed.includes(cached);
  await makeRoom(folder, { limitBytes: 0, incomingBytes: 0, isInUse });
  return published;
}
