import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BatchClock } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';
import { createLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import type { GatewayBuffer } from '../buffer/buffer.js';
import { inspectBuffer, type StreamReport } from '../buffer/inspect.js';
import type { SpaceReport } from '../buffer/space/report.js';
import type { WriteState } from '../buffer/write-budget.js';
import type { GatewayConfig } from '../config.js';
import { askGateway } from '../control/client.js';
import type { BudgetReport } from '../uplink/budget.js';
import { controlSocketPath, type ControlRequest } from '../control/protocol.js';
import { metricsText } from '../control/metrics.js';
import { describeGateway, type GatewayReport, type IdsReport } from '../control/status.js';
import { bufferFolder, openGatewayBuffer } from '../main.js';
import { busTable, idTable } from './buses.js';
import { table } from './table.js';

interface StatusFlags {
  json?: boolean;
  /** The identifiers of the buses, too. */
  ids?: boolean;
  /** As metrics for Prometheus. */
  metrics?: boolean;
}

/** `fleetlog-gateway status` */
export async function printStatus(
  config: GatewayConfig,
  { json = false, ids: withIds = false, metrics = false }: StatusFlags,
): Promise<void> {
  const report = (await ask(config, 'status', async (buffer) =>
    describeGateway(config, buffer),
  )) as GatewayReport;
  const ids = withIds ? ((await askGateway(controlSocketPath(config.data), 'ids')) as IdsReport) : undefined;
  if (metrics) return void process.stdout.write(metricsText(report, ids));
  if (json) return print(JSON.stringify({ ...report, ...(ids && { ids }) }));
  const { gateway, running, pid, uplink, space, writes, clock, streams } = report;
  print(
    `gateway  ${gateway}, ${running ? `running (process ${pid})` : 'not running'}, epoch ${report.epoch}`,
  );
  if (uplink) {
    const link = uplink.connected ? 'connected' : `not connected: ${uplink.trouble}`;
    print(`uplink   ${uplink.url}, ${link}, ${uplink.inFlightBatches} batches on their way`);
    print(`month    ${budgetLine(uplink.budget)}`);
  }
  if (clock) print(`clock    ${clockLine(clock)}`);
  if (space) print(`buffer   ${spaceLine(space)}`);
  if (writes?.budgetBytesPerDay !== undefined)
    print(`writes   ${writesLine(writes, writes.budgetBytesPerDay)}`);
  print(
    table(
      [
        'stream',
        'kind',
        'source',
        'priority',
        'records',
        'malformed',
        'waiting',
        'bytes',
        'given up',
        'thinned',
        'refused',
      ],
      streams.map((s) => [
        s.stream,
        s.kind,
        s.source?.condition ?? '-',
        s.priority ?? '-',
        s.recordsPut,
        s.source?.malformed ?? '-',
        s.batches,
        s.bytes,
        s.givenUp.records,
        s.thinned.records,
        s.refused,
      ]),
    ),
  );
  const buses = busTable(report);
  if (buses !== '') print(`\n${buses}`);
  if (withIds) print(`\n${ids ? idTable(ids) : 'The gateway must run for its identifiers to be known.'}`);
}

function budgetLine({ month, sent, received, limitBytes, level }: BudgetReport): string {
  const used = `${month}: ${kilobytes(sent)} kB sent, ${kilobytes(received)} kB received`;
  if (limitBytes === undefined) return used;
  const state = { within: '', 'nearly-used': ', nearly used', 'used-up': ', used up' }[level];
  return `${used}, of ${kilobytes(limitBytes)} kB${state}`;
}

function writesLine({ writtenBytes = 0, commitIntervalMs }: WriteState, budget: number): string {
  return `${megabytes(writtenBytes)} MB to disk since the start, budget ${megabytes(budget)} MB a day, commits every ${Math.round(commitIntervalMs)} ms`;
}

const kilobytes = (bytes: number): string => Math.round(bytes / 1e3).toLocaleString('en');
const megabytes = (bytes: number): string => (bytes / 1e6).toLocaleString('en', { maximumFractionDigits: 1 });

function spaceLine({
  diskBytes,
  limitBytes,
  freeBytes,
  full,
  hoursLeft,
  bytesPerSecond,
}: SpaceReport): string {
  const used = `${megabytes(diskBytes)} of ${megabytes(limitBytes)} MB, ${megabytes(freeBytes)} MB free on the disk`;
  if (full !== 'no') return `${used}; full: the oldest is given up`;
  if (hoursLeft === undefined) return used;
  const left = hoursLeft < 100 ? `${hoursLeft.toFixed(1)} hours` : `${(hoursLeft / 24).toFixed(0)} days`;
  return `${used}; room for ${left} without the cloud at ${(bytesPerSecond / 1000).toFixed(1)} kB/s`;
}

/** `fleetlog-gateway buffer inspect` */
export async function printBuffer(
  config: GatewayConfig,
  { json = false, stream }: { json?: boolean; stream?: string },
): Promise<void> {
  let reports = (await ask(config, 'buffer', inspectBuffer)) as StreamReport[];
  if (stream !== undefined) {
    reports = reports.filter((report) => report.stream === stream);
    if (reports.length === 0) {
      throw new FleetlogError('FLEETLOG_NOT_FOUND', `The buffer holds no stream "${stream}".`);
    }
  }
  if (json) return print(JSON.stringify(reports));
  print(
    table(
      ['stream', 'kind', 'first', 'next', 'batches', 'records', 'bytes', 'from', 'to', 'refused'],
      reports.map((r) => [
        r.stream,
        r.kind,
        r.first,
        r.next,
        r.batches,
        r.records,
        r.bytes,
        isoTime(r.firstTimeUs),
        isoTime(r.lastTimeUs),
        r.refused,
      ]),
    ),
  );
}

function clockLine({ state, uncertaintyUs }: BatchClock): string {
  if (state === 'unset') return 'unset: nothing has told the time since the boot';
  if (uncertaintyUs < 0) return `${state}: nothing says how well it is set`;
  return `${state}, right within ${(uncertaintyUs / 1e6).toFixed(uncertaintyUs < 1e6 ? 3 : 1)} s`;
}

/** Asks the running gateway; where none runs, opens the folder itself. */
async function ask(
  config: GatewayConfig,
  request: ControlRequest,
  look: (buffer: GatewayBuffer) => Promise<unknown>,
): Promise<unknown> {
  const answer = await askGateway(controlSocketPath(config.data), request);
  if (answer !== undefined) return answer;
  if (!existsSync(join(bufferFolder(config), 'CURRENT'))) {
    throw new FleetlogError(
      'FLEETLOG_NOT_FOUND',
      `There is no buffer in ${config.data} yet; start the gateway once, or check "data".`,
    );
  }
  await using buffer = await openGatewayBuffer(
    config,
    systemClock,
    createLogger('gateway', config.logLevel),
    { salvage: false },
  );
  return await look(buffer);
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const isoTime = (timeUs: number | undefined): string =>
  timeUs === undefined ? '-' : new Date(timeUs / 1000).toISOString();
