import { exitStatus, stopSignal } from '@fleetlog/shared/cli';
import { createLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import type { GatewayConfig } from '../config.js';
import { keepRunning } from '../keep-running.js';
import { bufferFolder, type RunProgress } from '../main.js';
import { keepHeapSmall } from './small-heap.js';

/** Runs a gateway until a signal or, with `untilDrained`, until all is done; says on stderr how it goes. */
export async function run(
  config: GatewayConfig,
  { untilDrained, quiet }: { untilDrained: boolean; quiet: boolean },
): Promise<void> {
  keepHeapSmall();
  const say = (text: string): void => void process.stderr.write(`fleetlog-gateway: ${text}\n`);
  const done = await keepRunning(config, {
    untilDrained,
    signal: stopSignal(),
    logger: createLogger('gateway', config.logLevel),
    clock: systemClock,
    onProgress: untilDrained && !quiet ? (progress) => say(progressLine(progress)) : undefined,
  });
  if (!quiet) say(summaryLine(done));
  if (done.refusedBatches > 0) {
    say(
      `The cloud refused ${count(done.refusedBatches, 'batch', 'batches')}, kept aside in ${bufferFolder(config)}; ` +
        'the log says why.',
    );
    if (untilDrained) process.exitCode = exitStatus.failed;
  }
}

function progressLine(progress: RunProgress): string {
  const share = progress.readShare === undefined ? '' : ` (${Math.floor(100 * progress.readShare)} %)`;
  const link = progress.connected ? '' : `; ${progress.trouble}`;
  return (
    `${count(progress.records, 'record')} read${share}, ` +
    `${count(progress.waitingBatches, 'batch', 'batches')} waiting, ` +
    `${number(progress.acknowledgedBatches)} acknowledged${link}`
  );
}

function summaryLine(done: RunProgress): string {
  const perRecord = done.records > 0 ? ` (${(done.bytes / done.records).toFixed(2)} bytes a record)` : '';
  const malformed = done.malformed > 0 ? `, ${count(done.malformed, 'malformed line')} left out` : '';
  return (
    `${count(done.records, 'record')} in ${count(done.batches, 'batch', 'batches')}, ` +
    `${count(done.bytes, 'byte')}${perRecord}${malformed}, ${done.seconds.toFixed(1)} s`
  );
}

const number = (value: number): string => value.toLocaleString('en-US');
const count = (value: number, one: string, many = `${one}s`): string =>
  `${number(value)} ${value === 1 ? one : many}`;
