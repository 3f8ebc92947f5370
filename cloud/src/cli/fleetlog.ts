import type { Command } from 'commander';
import { alertsCommand } from './fleetlog-alerts.js';
import { anomaliesCommand } from './fleetlog-anomalies.js';
import { liveCommand } from './fleetlog-live.js';
import { assignCommand } from './fleetlog-assign.js';
import { consumeCommand } from './fleetlog-consume.js';
import { createRoot, type CliStreams } from './fleetlog-context.js';
import { databasesCommand } from './fleetlog-databases.js';
import { clocksCommand } from './fleetlog-clocks.js';
import { exportCommand } from './fleetlog-export.js';
import { latestCommand } from './fleetlog-latest.js';
import { groupsCommand } from './fleetlog-groups.js';
import { holdsCommand } from './fleetlog-holds.js';
import { importCommand } from './fleetlog-import.js';
import { gapsCommand, gatewaysCommand, statusCommand, streamsCommand } from './fleetlog-lists.js';
import { queryCommand } from './fleetlog-query.js';
import { replayCommand } from './fleetlog-replay.js';
import { signalsCommand } from './fleetlog-signals.js';
import { sqlCommand } from './fleetlog-sql.js';
import { storageCommand } from './fleetlog-storage.js';
import { tailCommand } from './fleetlog-tail.js';
import { verifyCommand } from './fleetlog-verify.js';
import { vehiclesCommand } from './fleetlog-vehicles.js';

/** The operators' command. It knows nothing but the API. */
export function createFleetlog(streams: CliStreams): Command {
  const root = createRoot();
  for (const command of [
    gatewaysCommand(streams),
    streamsCommand(streams),
    clocksCommand(streams),
    gapsCommand(streams),
    exportCommand(streams),
    importCommand(streams),
    tailCommand(streams),
    consumeCommand(streams),
    groupsCommand(streams),
    verifyCommand(streams),
    holdsCommand(streams),
    storageCommand(streams),
    replayCommand(streams),
    liveCommand(streams),
    alertsCommand(streams),
    anomaliesCommand(streams),
    databasesCommand(streams),
    assignCommand(streams),
    vehiclesCommand(streams),
    signalsCommand(streams),
    queryCommand(streams),
    latestCommand(streams),
    sqlCommand(streams),
    statusCommand(streams),
  ]) {
    root.addCommand(command);
  }
  return root;
}
