import { Command } from 'commander';
import { EXIT, ShortlistError } from '../../base/errors.js';
import { verifyVersion } from '../../retrieve/load/verify.js';
import { resolveVersion } from '../../version/state/catalog.js';
import { action, parseTarget } from '../command.js';

export function verifyCommand(): Command {
  return new Command('verify')
    .argument('<index[@version]>', 'what to verify; without a version the published one')
    .description('check every checksum and every structure of a version, and search it')
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
        };
      }),
    );
}

/** A version whose manifest is missing is one to verify too: the missing file is its problem. */
function versionWithoutManifest(error: unknown): string {
  const version = error instanceof ShortlistError && error.code === 'file_missing' ? error.details['version'] : null;
  if (typeof version === 'string') return version;
  throw error;
}
