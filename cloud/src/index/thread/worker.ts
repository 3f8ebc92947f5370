// The thread that writes the index, and reads its store for its parent.
import { parentPort } from 'node:worker_threads';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger, LogLevel } from '@fleetlog/shared/log';
import { openRocksDb, type OrderedStore, type StoreEntry } from '@fleetlog/shared/store';
import { systemClock } from '@fleetlog/shared/util';
import { IndexFollower } from '../follower.js';
import { indexStoreOptions } from '../store-options.js';
import type { ParentCalls, Progress, ThreadCalls } from './calls.js';
import { movedEntries, movedPieces, unpackPieces } from './packed.js';
import { RemotePages } from './remote-pages.js';
import { Rpc } from './rpc.js';

let opened: OrderedStore | undefined;
let follower: IndexFollower | undefined;
let boots: Progress['boots'] = [];

const store = (): OrderedStore => {
  if (!opened) throw new FleetlogError('FLEETLOG_INTERRUPTED', 'The index was closed.');
  return opened;
};

const rpc = new Rpc<ThreadCalls, ParentCalls>(parentPort!, {
  async open(path) {
    opened = await openRocksDb(indexStoreOptions(path));
  },
  getMany: async (keys) => movedPieces(await store().getMany(unpackPieces(keys) as Buffer[])),
  async page(range, options) {
    const entries: StoreEntry[] = [];
    for await (const entry of store().entries(range, options)) entries.push(entry);
    return movedEntries(entries);
  },
  write: (operations) => store().write(operations),
  diskBytes: () => store().diskBytes(),
  async follow(checkpoints) {
    follower = new IndexFollower(checkpoints, {
      store: store(),
      pages: new RemotePages((partition, offset) => rpc.call('logPage', partition, offset)),
      logger,
      clock: systemClock,
      onBootTouched: (gateway, changed) => boots.push([gateway, changed]),
    });
    void tellOfEach(follower);
  },
  async trim(partition, trim) {
    await follower?.trim(partition, trim);
    if (follower) tellProgress(follower);
  },
  stop: async () => follower?.stop(),
  async close() {
    await opened?.close();
    opened = undefined;
  },
});

async function tellOfEach(writer: IndexFollower): Promise<never> {
  for (;;) {
    await writer.progress.wait();
    tellProgress(writer);
  }
}

function tellProgress({ checkpoints }: IndexFollower): void {
  rpc.tell('progress', { checkpoints, boots });
  boots = [];
}

const say =
  (level: Exclude<LogLevel, 'silent'>) =>
  (facts: object, message: string): void =>
    rpc.tell('say', level, facts, message);
const logger: Logger = {
  debug: say('debug'),
  info: say('info'),
  warn: say('warn'),
  error: say('error'),
  child: () => logger,
};
