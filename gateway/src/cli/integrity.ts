import { existsSync } from 'node:fs';
import { exitStatus } from '@fleetlog/shared/cli';
import { FleetlogError } from '@fleetlog/shared/errors';
import { createLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { noteDamage } from '../buffer/integrity/damage-note.js';
import { verifyBuffer, type VerifyReport } from '../buffer/integrity/verify.js';
import { markPath } from '../buffer/open-buffer.js';
import type { GatewayConfig } from '../config.js';
import { askGateway } from '../control/client.js';
import { controlSocketPath } from '../control/protocol.js';
import { bufferFolder, bufferOptions, openGatewayBuffer } from '../main.js';
import { table } from './table.js';

/** `fleetlog-gateway buffer verify`: status 3 where something is damaged. */
export async function printVerification(
  config: GatewayConfig,
  { json = false }: { json?: boolean },
): Promise<void> {
  const report = await verify(config);
  if (!report.isSound) process.exitCode = exitStatus.answerIsNo;
  if (json) return print(JSON.stringify(report));
  if (report.trouble !== undefined) print(`The database doesn't open: ${report.trouble}`);
  if (report.streams.length > 0) {
    print(
      table(
        ['stream', 'readable', 'unreadable', 'missing'],
        report.streams.map((s) => [s.stream, s.readable, s.unreadable, s.missing]),
      ),
    );
  }
  const harmless = report.isSound ? '; nothing that waits lies in the damaged part' : '';
  for (const file of report.damagedFiles) print(`damaged: ${file}${harmless}`);
  for (const { folder, isRescued } of report.aside) {
    print(`moved aside: ${folder}${isRescued ? '' : ', not rescued yet'}`);
  }
  print(report.isSound ? 'sound' : 'damaged; the gateway salvages it at its next start');
}

/** `fleetlog-gateway buffer salvage`: what the gateway does by itself at its start, now and wholly. */
export async function salvage(
  config: GatewayConfig,
  { json = false, force = false }: { json?: boolean; force?: boolean },
): Promise<void> {
  const folder = bufferFolder(config);
  if (force) {
    await verify(config); // no gateway runs, and there is a buffer
    await noteDamage(folder, 'asked for with --force');
  }
  await refuseRunning(config);
  const logger = createLogger('gateway', config.logLevel);
  await using buffer = await openGatewayBuffer(config, systemClock, logger);
  const rescued = await buffer.rescued();
  for (const { stream, durableNext } of buffer.streams()) {
    // Reading makes gap records of what doesn't read.
    for (let from = 0; from < durableNext;) {
      const batches = await buffer.read(stream, from, readBatches);
      from = (batches.at(-1)?.lastSequence ?? durableNext) + 1;
    }
  }
  await buffer.flush();
  const streams = buffer.streams().map(({ stream, batches, records }) => ({ stream, batches, records }));
  if (json) return print(JSON.stringify({ rescued, streams }));
  print(
    rescued
      ? `${rescued.batches} batches with ${rescued.records} records rescued, ${rescued.lost} lost, from ${rescued.files} files; ` +
          `${rescued.damagedFiles.length} of these are damaged and kept`
      : 'nothing to rescue',
  );
  print(
    table(
      ['stream', 'waiting', 'records'],
      streams.map((s) => [s.stream, s.batches, s.records]),
    ),
  );
}

const readBatches = 64;

async function verify(config: GatewayConfig): Promise<VerifyReport> {
  await refuseRunning(config);
  const folder = bufferFolder(config);
  if (!existsSync(folder) && !existsSync(markPath(folder))) {
    throw new FleetlogError(
      'FLEETLOG_NOT_FOUND',
      `There is no buffer in ${config.data} yet; start the gateway once, or check "data".`,
    );
  }
  const options = bufferOptions(config, systemClock, createLogger('gateway', config.logLevel));
  return verifyBuffer(options, markPath(folder));
}

async function refuseRunning(config: GatewayConfig): Promise<void> {
  if ((await askGateway(controlSocketPath(config.data), 'status')) === undefined) return;
  throw new FleetlogError(
    'FLEETLOG_LOCKED',
    `The gateway of ${config.data} is running, and looks after its buffer itself; stop it first.`,
  );
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);
