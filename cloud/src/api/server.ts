import type { AddressInfo } from 'node:net';
import swagger from '@fastify/swagger';
import fastify, { type FastifyReply } from 'fastify';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { BackupDesk } from '../backup/desk.js';
import type { Index } from '../index/index.js';
import type { Groups } from '../consumers/groups.js';
import type { Fleet } from '../ingest/fleet.js';
import { formatAddress, listenError, type ListenAddress } from '../listen.js';
import type { ImportDesk } from '../import/desk.js';
import type { Log } from '../log/log.js';
import type { Catalogue } from '../signals/catalogue/index.js';
import { RecordedSignals } from '../signals/recorded-signals.js';
import { backupRoutes } from './backup-routes.js';
import { catalogueRoutes } from './catalogue-routes.js';
import { defaultLimits, type ApiContext, type ApiLimits } from './context.js';
import { answer, handleErrors } from './errors.js';
import { clockRoutes } from './clock-routes.js';
import { exportRoutes } from './export-routes.js';
import { holdRoutes } from './hold-routes.js';
import { importRoutes } from './import-routes.js';
import { listRoutes } from './list-routes.js';
import { latestRoutes } from './latest-routes.js';
import { queryRoutes } from './query-routes.js';
import { consumeRoutes } from './consume-routes.js';
import { groupRoutes } from './group-routes.js';
import { metricsRoutes } from './metrics-routes.js';
import type { Retention } from '../retention/retention.js';
import type { DiskGuard } from '../storage/disk-guard.js';
import type { ColumnStore } from '../columns/store.js';
import type { RollupStore } from '../rollups/store.js';
import { signalRoutes } from './signal-routes.js';
import { Slots } from './slots.js';
import { storageRoutes } from './storage-routes.js';
import { stateRoutes } from './state-routes.js';
import { verifyRoutes } from './verify-routes.js';
import { tailRoutes } from './tail-routes.js';

export interface ApiOptions extends ListenAddress {
  log: Log;
  index: Index;
  fleet: Fleet;
  groups: Groups;
  catalogue: Catalogue;
  imports: Pick<ImportDesk, 'take'>;
  rollups?: RollupStore | undefined;
  columnStore?: ColumnStore | undefined;
  retention: Retention;
  disk: DiskGuard;
  backups?: BackupDesk | undefined;
  logger: Logger;
  clock: Clock;
  version: string;
  limits?: Partial<ApiLimits>;
}

export interface Api extends ListenAddress {
  url: string;
  /** Ends at once: answers under way are cut off, which their clients see. */
  close(): Promise<void>;
}

/** Serves the HTTP API. Errors: FLEETLOG_PORT_TAKEN, FLEETLOG_CONFIG for an address that isn't ours. */
export async function startApi(options: ApiOptions): Promise<Api> {
  const {
    host,
    port,
    log,
    index,
    fleet,
    groups,
    catalogue,
    imports,
    rollups,
    columnStore,
    retention,
    disk,
    backups,
    logger,
    clock,
    version,
  } = options;
  const limits = { ...defaultLimits, ...options.limits };
  const context: ApiContext = {
    log,
    index,
    fleet,
    groups,
    catalogue,
    recorded: new RecordedSignals(index, log),
    rollups,
    columnStore,
    retention,
    disk,
    logger,
    clock,
    version,
    limits,
    exports: new Slots('exports', limits.exportsMax),
    imports,
    importSlots: new Slots('imports', limits.importsMax),
    tails: new Slots('tails', limits.tailsMax),
    backups,
    startedUs: clock.monotonicUs(),
  };
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    requestTimeout: 10_000,
    bodyLimit: 1024,
    http: {
      maxHeaderSize: limits.urlBytesMax + 8192,
      // Clients that would rather speak HTTP/2 are answered as they are.
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    },
    frameworkErrors: (error, _request, reply: FastifyReply) => void answer(reply, error),
    ajv: { customOptions: { removeAdditional: false } },
  });
  app.addHook('onRequest', async ({ url }) => {
    if (url.length > limits.urlBytesMax) {
      throw new FleetlogError('FLEETLOG_USAGE', `The URL is over ${limits.urlBytesMax} characters.`);
    }
  });
  app.server.maxConnections = limits.connectionsMax;
  handleErrors(app, logger);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Fleetlog', version, description: 'Reads what a fleet has recorded.' },
    },
  });
  listRoutes(app, context);
  clockRoutes(app, context);
  exportRoutes(app, context);
  importRoutes(app, context);
  tailRoutes(app, context);
  catalogueRoutes(app, context);
  signalRoutes(app, context);
  queryRoutes(app, context);
  latestRoutes(app, context);
  stateRoutes(app, context);
  consumeRoutes(app, context);
  groupRoutes(app, context);
  metricsRoutes(app, context);
  verifyRoutes(app, context);
  holdRoutes(app, context);
  storageRoutes(app, context);
  backupRoutes(app, context);
  try {
    await app.listen({ host, port });
  } catch (error) {
    await app.close();
    throw listenError(error, { host, port }, '--http');
  }
  const address = app.server.address() as AddressInfo;
  const at = { host: address.address, port: address.port };
  return {
    url: `http://${formatAddress(at)}`,
    ...at,
    close: () => app.close(),
  };
}
