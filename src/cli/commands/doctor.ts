import { Command } from 'commander';
import { EXIT } from '../../base/errors.js';
import { examine, type Finding } from '../../doctor/doctor.js';
import { action } from '../command.js';
import { unlessAborted } from '../interrupt.js';
import { formatPairs, formatTable } from '../output/table.js';

const HELP = `
Exit codes: 0 nothing fails; 1 something would fail.`;

const MARKS: Readonly<Record<Finding['verdict'], string>> = { pass: 'pass', warn: 'WARN', fail: 'FAIL' };

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('look for what would go wrong on this machine and in the root, and say what to do')
    .addHelpText('after', HELP)
    .action(
      action(async ({ root, signal }) => {
        const findings = await unlessAborted(examine(root), signal);
        const ok = findings.every(({ verdict }) => verdict !== 'fail');
        const table = formatTable<Finding>(
          [
            { title: 'verdict', value: ({ verdict }) => MARKS[verdict], noWrap: true },
            { title: 'check', value: ({ name }) => name },
            { title: 'found', value: ({ detail }) => detail },
          ],
          findings,
        );
        const text = [table, ...describeFixes(findings)].join('\n');
        return { json: { root, ok, findings }, text, exit: ok ? EXIT.done : EXIT.checkFailed };
      }),
    );
}

/** Below the table, where they have the whole width: few findings have one. */
function describeFixes(findings: readonly Finding[]): string[] {
  const fixes = findings.flatMap(({ name, fix }): [string, string][] => (fix === undefined ? [] : [[name, fix]]));
  return fixes.length === 0 ? [] : ['', 'what to do:', formatPairs(fixes)];
}
