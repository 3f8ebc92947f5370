#!/usr/bin/env node
// Nothing is imported before the check: what follows doesn't even load on an older Node.
const nodeNeeded = 24;
if (Number.parseInt(process.versions.node, 10) < nodeNeeded) {
  process.stderr.write(
    `fleetlog-cloud: this is Node ${process.versions.node}, and Fleetlog needs ${nodeNeeded} or newer; ` +
      'start it with npx after npm ci, which brings the right one.\n',
  );
  process.exitCode = 1;
} else {
  const { runCli } = await import('@fleetlog/shared/cli');
  const { cloudCommand } = await import('./cloud-command.js');
  await runCli(cloudCommand());
  process.exit(); // a request to Kafka that waits for other clouds may still be open, and all else is done
}
