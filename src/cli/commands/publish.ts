import { Command } from 'commander';
import { ShortlistError, EXIT, type ErrorCode } from '../../base/errors.js';
import { DEFAULT_MIN_RECALL, describeRefusal, formatGateValue } from '../../builder/gate.js';
import { publishGated, type Published } from '../../builder/publish-gated.js';
import { resolveVersion } from '../../version/state/catalog.js';
import { action, numberBetween, parseTarget, type CommandContext } from '../command.js';
import { runningUser } from '../running-user.js';

interface PublishOptions {
  readonly minRecall: number;
  readonly dryRun?: boolean;
  readonly reason?: string;
}

export function publishCommand(): Command {
  return new Command('publish')
    .argument('<index@version>', 'version to publish')
    .description('run the gate and publish the version if it passes')
    .option(
      '--min-recall <r>',
      'minimum recall@100 against exact search to pass the gate',
      numberBetween(0, 1),
      DEFAULT_MIN_RECALL,
    )
    .option('--reason <text>', 'reason to record in HISTORY')
    .option('--dry-run', 'run the gate and show what would happen; change nothing')
    .action(
      action(async (context, options: PublishOptions, target: string) => {
        const { root, progress, signal } = context;
        const { index, ref } = parseTarget(target);
        if (ref === undefined)
          throw new ShortlistError(
            'usage',
            `no version is given; give one as shortlist publish ${index}@VERSION, see shortlist list ${index}`,
          );
        const version = await resolveVersion(root, index, ref);
        const dryRun = options.dryRun ?? false;
        const published = await publishGated(root, index, version, {
          minRecall: options.minRecall,
          dryRun,
          reason: options.reason,
          who: runningUser(),
          signal,
          onProgress: (stage, done, total, unit) => progress.update(stage, done, total, unit),
        });
        const { gate, previous } = published;
        warnIfNotRecorded(context, published);
        const json = {
          index,
          version,
          previous,
          gate,
          published: gate.pass && !dryRun,
          ...gateError(gate),
          ...(dryRun && { dry_run: true }),
        };
        return {
          json,
          text: describePublished(index, published, dryRun),
          exit: gate.pass ? EXIT.done : EXIT.checkFailed,
        };
      }),
    );
}

/** Not an error: CURRENT has moved, and the next publish or rollback completes HISTORY. */
export const HISTORY_NOT_WRITTEN =
  'the version is published, but HISTORY could not be written; the next publish or rollback completes it';

const REFUSAL_NOT_WRITTEN = 'the refusal could not be recorded, so history will not show it';

export function warnIfNotRecorded({ warn }: Pick<CommandContext, 'warn'>, { recorded, gate }: Published): void {
  if (!recorded) warn(gate.pass ? HISTORY_NOT_WRITTEN : REFUSAL_NOT_WRITTEN);
}

export function describePublished(
  index: string,
  { version, previous, changed, gate }: Published,
  dryRun: boolean,
): string {
  const checks = gate.checks.map(
    (check) =>
      `  ${check.pass ? 'pass' : 'FAIL'}  ${check.name}  ${formatGateValue(check.value)} (limit ${check.limit})${check.detail ? `: ${check.detail}` : ''}`,
  );
  const before = previous ?? 'nothing';
  const verdict = !gate.pass
    ? `gate ${dryRun ? 'would refuse' : 'refused'} ${index}@${version}; ${index} still serves ${before}`
    : !changed
      ? `${index}@${version} is already published`
      : dryRun
        ? `would publish ${index}@${version} (now: ${before})`
        : `published ${index}@${version} (before: ${before})`;
  return [...checks, verdict].join('\n');
}

/** The `error` member that `--json` prints when the gate refuses. */
export function gateError(gate: Published['gate']): { error?: { code: ErrorCode; message: string } } {
  return gate.pass ? {} : { error: { code: 'gate_failed', message: describeRefusal(gate) } };
}
