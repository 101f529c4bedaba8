import { Command } from 'commander';
import { EXIT } from '../../base/errors.js';
import { initLimits } from '../../gate/limits-file.js';
import { runGate } from '../../gate/gate.js';
import { resolveVersion } from '../../version/state/catalog.js';
import { action, parseTarget } from '../command.js';
import { addGateFlags, gateOptions, type GateFlags } from '../gate-flags.js';
import { formatGate } from '../output/gate-table.js';
import { describeRefused, gateError } from '../output/published.js';

export function gateCommand(): Command {
  return new Command('gate')
    .description('the checks that a version must pass before it is published')
    .addCommand(initCommand())
    .addCommand(checkCommand());
}

function initCommand(): Command {
  return new Command('init')
    .argument('<index>', 'index')
    .description('write gate.json, the limits of the gate for an index, with their defaults')
    .option('--overwrite', 'replace an existing gate.json')
    .action(
      action(async ({ root }, { overwrite = false }: { readonly overwrite?: boolean }, index: string) => {
        const file = await initLimits(root, index, { overwrite });
        return { json: { index, file }, text: `wrote ${file}; edit the limits, then try: shortlist gate check ${index}` };
      }),
    ); // prettier-ignore
}

const HELP = `
Without a version, the published one is checked against the one before it.
Exit codes: 0 the version may be published; 1 a check failed.`;

function checkCommand(): Command {
  const command = new Command('check')
    .argument('<index[@version]>', 'index, and a version or alias (default: the published version)')
    .description('run the gate on a version and show every check; publish nothing')
    .addHelpText('after', HELP);
  return addGateFlags(command).action(
    action(async (context, flags: GateFlags, target: string) => {
      const { root } = context;
      const { index, ref } = parseTarget(target);
      const version = await resolveVersion(root, index, ref ?? 'current');
      const gate = await runGate(root, index, version, gateOptions(context, flags));
      const name = `${index}@${version}`;
      const refused = gate.pass ? undefined : describeRefused(name, gate, true);
      return {
        json: { index, version, ...gate, ...gateError(gate) },
        text: `${formatGate(gate)}\n${refused ?? `${name} passes the gate`}`,
        exit: gate.pass ? EXIT.done : EXIT.checkFailed,
        failure: refused,
      };
    }),
  );
}
