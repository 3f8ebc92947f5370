import type { Command } from 'commander';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Vehicles } from '../api/catalogue-schemas.js';
import { contextOf, createSubcommand, print, type CliStreams } from './fleetlog-context.js';
import { moment, table } from './fleetlog-table.js';

interface VehicleOptions {
  vehicle?: string;
  gateway?: string;
  validFrom?: string;
  validTo?: string;
  remove: boolean;
}

export function vehiclesCommand(streams: CliStreams): Command {
  return createSubcommand(
    'vehicles',
    'Which gateway is in which vehicle, and when. With --vehicle and --gateway: puts the gateway there; where it was\n' +
      'in another vehicle until then, that ends.',
    [
      'fleetlog vehicles',
      'fleetlog vehicles --vehicle "Bus 4" --gateway bus-4',
      'fleetlog vehicles --vehicle "Bus 5" --gateway bus-4 --valid-from 2026-11-05T10:00Z',
      'fleetlog vehicles --vehicle "Bus 5" --gateway bus-4 --remove',
    ],
  )
    .option('--vehicle <name>', 'vehicle')
    .option('--gateway <id>', 'gateway')
    .option('--valid-from <time>', 'from this event time on, inclusive')
    .option('--valid-to <time>', 'to this event time, exclusive')
    .option('--remove', 'take the gateway out of the vehicle, or for the validity', false)
    .action(async (options: VehicleOptions, command: Command) => {
      const context = contextOf(command, streams);
      const { vehicle, gateway, validFrom, validTo, remove } = options;
      const path = '/v1/vehicles';
      if (vehicle !== undefined && gateway !== undefined) {
        const query = { vehicle, gateway, from: validFrom, to: validTo };
        await context.api.change(remove ? 'DELETE' : 'POST', path, query);
      } else if (vehicle !== undefined || gateway !== undefined || remove || validFrom !== undefined) {
        throw new FleetlogError('FLEETLOG_USAGE', 'Give both --vehicle and --gateway, or neither to list.');
      }
      const { body } = await context.api.json<Vehicles>(path);
      await print(context, body.vehicles, () =>
        body.vehicles.length === 0
          ? 'No gateway is in a vehicle yet; "fleetlog vehicles --vehicle NAME --gateway G" puts one there.\n'
          : table(body.vehicles, [
              { title: 'vehicle', text: (row) => row.vehicle },
              { title: 'gateway', text: (row) => row.gateway },
              { title: 'from', text: ({ from }) => moment(from) },
              { title: 'to', text: ({ to }) => moment(to) },
            ]),
      );
    });
}
