import { join } from 'node:path';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import type { ApiLimits } from '#cloud/api/context.js';
import { startApi, type Api } from '#cloud/api/server.js';
import { Groups, type GroupLimits } from '#cloud/consumers/groups.js';
import { openIndex, type Index } from '#cloud/index/index.js';
import { Catalogue } from '#cloud/signals/catalogue/index.js';
import type { Retention } from '#cloud/retention/retention.js';
import type { RetentionRule } from '#cloud/retention/rules.js';
import { ColumnStore } from '#cloud/columns/store.js';
import { RollupStore } from '#cloud/rollups/store.js';
import { FakeFleet } from './fake-fleet.js';
import { keeping } from './keeping.js';
import { MemoryLog } from './memory-log.js';
import { tempFolder } from './temp-folder.js';
import { noImports } from './no-imports.js';

/** The read side of a cloud, over a log in memory and a fleet that the test describes. */
export interface ServingCloud extends AsyncDisposable {
  log: MemoryLog;
  fleet: FakeFleet;
  index: Index;
  groups: Groups;
  catalogue: Catalogue;
  rollups: RollupStore | undefined;
  columnStore: ColumnStore | undefined;
  retention: Retention;
  api: Api;
}

export async function serveCloud(
  options: {
    limits?: Partial<ApiLimits>;
    groupLimits?: GroupLimits;
    log?: MemoryLog;
    /** Puts something between the API and the index. */
    wrapIndex?: (index: Index) => Index;
    /** Keeps sums, within so many bytes. */
    rollupBytesMax?: number;
    /** Keeps minutes by identifier, within so many bytes, when the test says so. */
    columnBytesMax?: number;
    /** Of retention, applied when the test says so. */
    rules?: RetentionRule[];
  } = {},
): Promise<ServingCloud> {
  const {
    limits,
    groupLimits,
    log = new MemoryLog(),
    wrapIndex = (index: Index) => index,
    rollupBytesMax,
    columnBytesMax,
    rules,
  } = options;
  const folder = await tempFolder('api');
  const fleet = new FakeFleet();
  const parts = { log, logger: silentLogger, clock: systemClock };
  const index = await openIndex({ ...parts, path: join(folder.path, 'index') });
  const rollups =
    rollupBytesMax === undefined
      ? undefined
      : await RollupStore.open({
          path: join(folder.path, 'rollups'),
          indexId: index.id,
          bytesMax: rollupBytesMax,
        });
  const columnStore =
    columnBytesMax === undefined
      ? undefined
      : await ColumnStore.open({
          path: join(folder.path, 'columns'),
          indexId: index.id,
          bytesMax: columnBytesMax,
        });
  const catalogue = await Catalogue.open(join(folder.path, 'catalogue'));
  const groups = await Groups.open({ ...parts, ...(groupLimits && { limits: groupLimits }) });
  const kept = await keeping(log, index, { folder: folder.path, ...(rules && { rules }) });
  const { retention, disk } = kept;
  const api = await startApi({
    ...parts,
    host: '127.0.0.1',
    port: 0,
    index: wrapIndex(index),
    fleet,
    groups,
    catalogue,
    imports: noImports,
    rollups,
    columnStore,
    retention,
    disk,
    version: '1.2.3',
    ...(limits && { limits }),
  });
  return {
    log,
    fleet,
    index,
    groups,
    catalogue,
    rollups,
    columnStore,
    retention,
    api,
    [Symbol.asyncDispose]: async () => {
      await api.close();
      await kept[Symbol.asyncDispose]();
      await groups[Symbol.asyncDispose]();
      await columnStore?.[Symbol.asyncDispose]();
      await rollups?.[Symbol.asyncDispose]();
      await index.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}
