import { Command, Option } from 'commander';
import { GATEWAY_OPTIONS, readGatewayOptions } from '../../serve/gateway/gateway-options.js';
import { action } from '../command.js';

/** The flags come from the option table of the gateway, which also checks values and reads variables. */
export function gatewayCommand(): Command {
  const command = new Command('gateway').description(
    'answer searches over HTTP from servers that each hold some shards (serve --shards), until SIGTERM',
  );
  for (const option of GATEWAY_OPTIONS.filter(({ global }) => !global)) {
    const help = `${option.help} (default: ${option.defaultText || 'all'}, env: ${option.env})`;
    command.addOption(new Option(option.flags, help));
  }
  return command.action(
    action(async ({ releaseSignals }, options: Record<string, unknown>) => {
      const { startGateway } = await import('../../serve/gateway/start-gateway.js');
      await startGateway(readGatewayOptions(options, process.env), releaseSignals);
      return null;
    }),
  );
}
