import { Command } from 'commander';
import { EXIT, ShortlistError } from '../../base/errors.js';
import { verifyVersion } from '../../retrieve/load/verify.js';
import { resolveVersion } from '../../version/state/catalog.js';
import { action, parseTarget } from '../command.js';

export function verifyCommand(): Command {
  return new Command('verify')
    .argument('<index[@version]>', 'version to verify (default: the published one)')
    .description('check all checksums and structures of a version, and run test searches')
    .action(
      action(async ({ root, progress, signal }, _options, target: string) => {
        const { index, ref } = parseTarget(target);
        const version = await resolveVersion(root, index, ref).catch(versionWithoutManifest);
        const problems = await verifyVersion(root, index, version, {
          signal,
          onProgress: (done, total) => progress.update('verify', done, total, 'bytes'),
        });
        const ok = problems.length === 0;
        const [first] = problems;
        const lines = problems.map(({ code, message }) => `  ${message} (${code})`);
        const text = ok
          ? `${index}@${version} is sound`
          : [`${index}@${version} must not be served:`, ...lines].join('\n');
        return {
          json: { index, version, ok, problems, ...(first && { error: first }) },
          text,
          exit: ok ? EXIT.done : EXIT.badIndex,
          failure: first && `${index}@${version} is damaged: ${first.message}`,
        };
      }),
    );
}

/** A version without a manifest can be verified too: the missing file is its problem. */
function versionWithoutManifest(error: unknown): string {
  const version = error instanceof ShortlistError && error.code === 'file_missing' ? error.details['version'] : null;
  if (typeof version === 'string') return version;
  throw error;
}
