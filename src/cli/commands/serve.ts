import { Command, Option } from 'commander';
import { readServeOptions, SERVE_OPTIONS } from '../../serve/channel/options.js';
import { serviceVariables } from '../../serve/channel/service-variables.js';
import { startServer } from '../../serve/primary/start-server.js';
import { action } from '../command.js';

/** The flags come from the option table of serve, which also checks values and reads variables. */
export function serveCommand(): Command {
  const command = new Command('serve').description(
    'serve published indexes over HTTP until SIGTERM; every option can also be set by its environment variable',
  );
  for (const option of SERVE_OPTIONS.filter(({ global }) => !global)) {
    const help = `${option.help} (default: ${option.defaultText || 'all'}, env: ${option.env})`;
    command.addOption(new Option(option.flags, help));
  }
  return command.action(
    action(async ({ releaseSignals: handOverSignals }, options: Record<string, unknown>) => {
      await startServer(readServeOptions(options, process.env), serviceVariables(process.env), handOverSignals);
      return null;
    }),
  );
}
