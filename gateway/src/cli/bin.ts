#!/usr/bin/env -S MALLOC_ARENA_MAX=1 MALLOC_TRIM_THRESHOLD_=131072 MALLOC_MMAP_THRESHOLD_=131072 node
import { setFlagsFromString } from 'node:v8';

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
  // A gateway makes little garbage, slowly: left alone, V8 lets the space for new objects grow by tens of megabytes
  // before it looks at it. At its first size it is looked at more often, which costs nothing that can be measured.
  setFlagsFromString('--semi-space-growth-factor=1');
  // While a backlog drains, each batch lives until it is acknowledged: long enough to become old, and V8 would let the
  // space for old objects double before it looks at it (200 MB resident instead of 135).
  setFlagsFromString('--heap-growing-percent=20');
  const { runCli } = await import('@fleetlog/shared/cli');
  const { gatewayCommand } = await import('./command.js');
  await runCli(gatewayCommand());
}
