import { Command } from 'commander';
import { ShortlistError, EXIT, type ErrorCode } from '../base/errors.js';
import { DEFAULT_MIN_RECALL } from '../build/gate.js';
import { publishGated, type Published } from '../build/publish-gated.js';
import { resolveVersion } from '../version/catalog.js';
import { action, numberBetween, parseTarget } from './command.js';

interface PublishOptions {
  readonly minRecall: number;
  readonly dryRun?: boolean;
  readonly reason?: string;
}

export function publishCommand(): Command {
  return new Command('publish')
    .argument('<index@version>', 'version to publish')
    .description('run the gate, then move CURRENT to the version')
    .option(
      '--min-recall <r>',
      'recall@100 against exact search that the gate asks for',
      numberBetween(0, 1),
      DEFAULT_MIN_RECALL,
    )
    .option('--reason <text>', 'why, for HISTORY')
    .option('--dry-run', 'run the gate and say what would happen, change nothing')
    .action(
      action(async (context, options: PublishOptions, target: string) => {
        const { root, progress } = context;
        const { index, ref } = parseTarget(target);
        if (ref === undefined)
          throw new ShortlistError(
            'usage',
            `name the version: shortlist publish ${index}@VERSION; see shortlist list ${index}`,
          );
        const version = await resolveVersion(root, index, ref);
        const dryRun = options.dryRun ?? false;
        const published = await publishGated(root, index, version, {
          minRecall: options.minRecall,
          dryRun,
          reason: options.reason,
          onProgress: (stage, done, total, unit) => progress.update(stage, done, total, unit),
        });
        const { gate, previous } = published;
        if (!published.recorded) context.warn(UNRECORDED);
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

/** CURRENT has moved, which is what counts; the next move writes what is missing. */
export const UNRECORDED =
  'CURRENT has moved and HISTORY could not be written; the next publish or rollback completes it';

export function describePublished(
  index: string,
  { version, previous, changed, gate }: Published,
  dryRun: boolean,
): string {
  const checks = gate.checks.map(
    (check) =>
      `  ${check.pass ? 'pass' : 'FAIL'}  ${check.name}  ${formatShare(check.value)} (limit ${check.limit})${check.detail ? `: ${check.detail}` : ''}`,
  );
  const before = previous ?? 'nothing';
  const verdict = !gate.pass
    ? `gate refused ${index}@${version}; ${index} still serves ${before}`
    : !changed
      ? `${index}@${version} is published already`
      : dryRun
        ? `would publish ${index}@${version} (now: ${before})`
        : `published ${index}@${version} (before: ${before})`;
  return [...checks, verdict].join('\n');
}

/** Beside the verdict, the error that `--json` has for every command that ends in another code than 0. */
export function gateError(gate: Published['gate']): { error?: { code: ErrorCode; message: string } } {
  const failed = gate.checks.find((check) => !check.pass);
  if (failed === undefined) return {};
  const message = failed.detail ?? `${failed.name} is ${formatShare(failed.value)} and the limit is ${failed.limit}`;
  return { error: { code: 'gate_failed', message } };
}

/** A recall to four places, a count as it is. */
function formatShare(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(4);
}
