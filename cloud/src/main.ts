import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { productVersion } from '@fleetlog/shared/cli';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { startApi } from './api/server.js';
import { BackupDesk } from './backup/desk.js';
import { refuseHalfRestored } from './backup/restore.js';
import { Broker } from './broker/broker.js';
import { BrokerClient, type BrokerClientOptions } from './broker/broker-client.js';
import type { CloudConfig } from './config.js';
import { Groups } from './consumers/groups.js';
import { ImportDesk } from './import/desk.js';
import { openIndexInThread, type Index } from './index/index.js';
import { Ingest } from './ingest/ingest.js';
import { SharedIngest } from './ingest/shared-ingest.js';
import type { ListenAddress } from './listen.js';
import { ColumnKeeper } from './columns/keeper.js';
import { ColumnStore } from './columns/store.js';
import { isShared, openConfiguredLog } from './log/open-log.js';
import type { SharedLog } from './log/log.js';
import { RollupKeeper } from './rollups/keeper.js';
import { RollupStore } from './rollups/store.js';
import { Retention } from './retention/retention.js';
import { openOrMakeAnew } from './storage/made-anew.js';
import { DiskGuard } from './storage/disk-guard.js';
import { Catalogue } from './signals/catalogue/index.js';
import { RecordedSignals } from './signals/recorded-signals.js';

/** An import is acknowledged by whichever cloud has the partition, so the log is looked at. */
const lookEveryMs = 200;

export interface CloudOptions {
  logger: Logger;
  clock: Clock;
  /** Ends the cloud cleanly: what was taken is committed and acknowledged. */
  signal: AbortSignal;
  /** Deletes the index and builds it from the log before anything is served. */
  rebuildIndex: boolean;
  /** About every second while the index is rebuilt: batches that are left. */
  onRebuild: (batchesLeft: number) => void;
  /** Called once, when gateways and clients can connect. */
  onReady: (addresses: { mqtt: ListenAddress; http?: ListenAddress }) => void;
}

/**
 * The composition root of the cloud: broker, ours or another → ingest → log → index → API. Resolves when the signal has ended it.
 * Errors: those of the data folder (the log is opened first, so that a second process on the folder fails before it
 * touches anything), FLEETLOG_PORT_TAKEN, FLEETLOG_LOCKED when another cloud takes over a log that is in Kafka.
 */
export async function runCloud(config: CloudConfig, options: CloudOptions): Promise<void> {
  const { logger, clock, signal, rebuildIndex, onReady } = options;
  const takenOver = Promise.withResolvers<never>();
  takenOver.promise.catch(() => undefined); // it may come when all else is done
  await refuseHalfRestored(config.data);
  const logParts = { data: config.data, logger, clock, onTakenOver: takenOver.reject };
  await using log = await openConfiguredLog(config.log, logParts);
  if (config.ingest.only && isShared(log)) {
    await ingestOnly(config, log, options); // the log is closed behind it
    return;
  }
  const indexFolder = join(config.data, 'index');
  if (rebuildIndex) await rm(indexFolder, { recursive: true, force: true });
  await using index = await openOrMakeAnew(indexFolder, logger, () =>
    openIndexInThread({ log, path: indexFolder, logger, clock }),
  );
  if (rebuildIndex) await rebuilt(index, options);
  if (signal.aborted) return;
  const catalogue = await Catalogue.open(join(config.data, 'catalogue'));
  await using groups = await Groups.open({ log, clock, logger });
  const rollupsFolder = join(config.data, 'rollups');
  await using rollups =
    config.rollups.bytesMax > 0
      ? await openOrMakeAnew(rollupsFolder, logger, () =>
          RollupStore.open({
            path: rollupsFolder,
            indexId: index.id,
            bytesMax: config.rollups.bytesMax,
          }),
        )
      : undefined;
  const { signals: listed } = config.rollups;
  const recorded = new RecordedSignals(index, log);
  await using _keeper =
    rollups && new RollupKeeper({ index, log, catalogue, recorded, rollups, clock, logger, listed });
  await using columnStore =
    config.columns.bytesMax > 0
      ? await ColumnStore.open({
          path: join(config.data, 'columns'),
          indexId: index.id,
          bytesMax: config.columns.bytesMax,
        })
      : undefined;
  await using disk = await DiskGuard.open({ folder: config.data, ...config.disk, clock, logger });
  await using columnKeeper =
    columnStore && new ColumnKeeper({ index, log, columns: columnStore, room: disk, clock, logger });
  columnKeeper?.start();
  await using retention = await Retention.open({ ...config.retention, log, index, clock, logger });
  const backups = await BackupDesk.open({ data: config.data, log, catalogue, retention, clock });
  retention.start();
  const ingestParts = { logger, clock, queue: config.ingest, names: config.names, room: disk };
  await using ingest = isShared(log)
    ? await SharedIngest.open({ ...ingestParts, log })
    : await Ingest.open({ ...ingestParts, log });
  groups.giveWayTo(ingest);
  groups.waitFor(ingest);
  await using broker = config.mqtt.broker
    ? await BrokerClient.start(config.mqtt.broker, ingest, logger)
    : await Broker.start(config.mqtt, ingest, logger);
  const imports = new ImportDesk(ingest, broker, clock, isShared(log) ? lookEveryMs : undefined);
  if (ingest instanceof Ingest) ingest.start(imports);
  else ingest.start(imports, broker as BrokerClient);
  const api = await startApi({
    ...config.http,
    log,
    index,
    fleet: ingest,
    groups,
    imports,
    catalogue,
    rollups,
    columnStore,
    retention,
    disk,
    backups,
    logger,
    clock,
    version: productVersion,
  });
  onReady({
    mqtt: broker.address,
    http: { host: api.host, port: api.port },
  });
  try {
    await Promise.race([aborted(signal), takenOver.promise]);
  } finally {
    broker.stopReading();
    await api.close();
    // Before the broker closes: acknowledgements of what waits still go out.
    await ingest[Symbol.asyncDispose]();
  }
}

/** One of several clouds on a log, for which others answer questions. */
async function ingestOnly(
  config: CloudConfig,
  log: SharedLog,
  { logger, clock, signal, onReady }: CloudOptions,
): Promise<void> {
  await using disk = await DiskGuard.open({ folder: config.data, ...config.disk, clock, logger });
  const { ingest: queue, names, mqtt } = config;
  await using ingest = await SharedIngest.open({ log, logger, clock, queue, names, room: disk });
  await using broker = await BrokerClient.start(mqtt.broker as BrokerClientOptions, ingest, logger);
  ingest.start(broker, broker);
  onReady({ mqtt: broker.address });
  await aborted(signal);
  broker.stopReading();
  // Before the broker closes: acknowledgements of what waits still go out.
  await ingest[Symbol.asyncDispose]();
}

async function rebuilt(index: Index, { clock, signal, onRebuild }: CloudOptions): Promise<void> {
  const stop = new AbortController();
  const report = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      onRebuild(index.lag());
      await clock.sleep(1000, stop.signal).catch(() => undefined); // the loop looks at the signal
    }
  };
  const reporting = report();
  await index.caughtUp(signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  stop.abort();
  await reporting;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
