#!/usr/bin/env -S MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=131072 node
// The C library gives each thread a heap of its own unless told otherwise, and keeps what is freed once it has seen
// large blocks come and go: together 20 MB more resident at full pace, for nothing (decision 0032).

// Nothing else is imported before the check: what follows doesn't even load on an older Node.
const nodeNeeded = 24;
if (Number.parseInt(process.versions.node, 10) < nodeNeeded) {
  process.stderr.write(
    `fleetlog-gateway: this is Node ${process.versions.node}, and Fleetlog needs ${nodeNeeded} or newer; ` +
      'start it with npx after npm ci, which brings the right one.\n',
  );
  process.exitCode = 1;
} else {
  const { runCli } = await import('@fleetlog/shared/cli');
  const { gatewayCommand } = await import('./command.js');
  await runCli(gatewayCommand());
}
