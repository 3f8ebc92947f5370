import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { openRocksDb, type OrderedStore } from '@fleetlog/shared/store';
import type { Clock } from '@fleetlog/shared/util';
import type { Log, LogEntry } from '../log.js';
import { KafkaCluster, type KafkaAddress } from './cluster.js';
import type { Partition } from './committer.js';
import { ExclusiveKafkaLog } from './exclusive-log.js';
import { fetchBytes, markerMs, type KafkaLogParts } from './kafka-log.js';
import { NotesTable } from './notes-table.js';
import { CommittedReader } from './reader.js';
import { entryOf } from './records.js';
import { SharedKafkaLog } from './shared-log.js';
import { openTopics, type TopicOptions } from './topics.js';
import { TransactionalWriter } from './writer.js';

export interface KafkaLogOptions extends Omit<TopicOptions, 'shared'>, KafkaAddress {
  /** Folder of what this machine keeps beside Kafka: the table of notes, which is made again where it is gone. */
  path: string;
  logger: Logger;
  clock: Clock;
  /** Another process has taken the log over: nothing can be written here any more. */
  onTakenOver?: (error: FleetlogError) => void;
}

const safeReplicas = 3;
/** In the store of the notes; the others have tags of their own. */
const processKey = Buffer.from('p');

/**
 * Opens the log in a Kafka topic, and takes it over from another cloud that has it: that one is refused from then on.
 * Errors: FLEETLOG_UNREACHABLE, FLEETLOG_CONFIG, FLEETLOG_LOCKED (another process on the folder), FLEETLOG_STORE.
 */
export function openKafkaLog({ onTakenOver, ...options }: KafkaLogOptions): Promise<Log> {
  return open({ ...options, shared: false }, async ({ parts, newWriter, load }) => {
    const writer = newWriter(`${parts.topics.log}-ingest`, onTakenOver);
    await writer.ready();
    const { notes, partitions } = await load();
    return new ExclusiveKafkaLog({ ...parts, notes }, partitions, writer);
  });
}

/** Opens a log that several clouds write to. Errors: as `openKafkaLog`, but that none is taken over. */
export function openSharedKafkaLog(options: Omit<KafkaLogOptions, 'onTakenOver'>): Promise<SharedKafkaLog> {
  return open({ ...options, shared: true }, async ({ parts, newWriter, load, store }) => {
    const { log } = parts.topics;
    const name = await processName(store);
    const following = parts.owned.use(new KafkaCluster(options, options.clock));
    const { notes, partitions } = await load();
    return new SharedKafkaLog(
      {
        ...parts,
        notes,
        following,
        newWriter: (of, onTakenOver) =>
          newWriter(
            of === 'process' ? `${log}-cloud-${name}` : `${log}-partition-${of.partition}`,
            onTakenOver,
          ),
      },
      partitions,
    );
  });
}

interface Opened {
  parts: Omit<KafkaLogParts, 'notes'>;
  store: OrderedStore;
  newWriter: (transactionalId: string, onTakenOver: KafkaLogOptions['onTakenOver']) => TransactionalWriter;
  /** What is there: after the writer is ready, where there is one alone. */
  load: () => Promise<{ notes: NotesTable; partitions: Partition[] }>;
}

async function open<T>(
  { path, logger, clock, ...options }: Omit<KafkaLogOptions, 'onTakenOver'> & Pick<TopicOptions, 'shared'>,
  make: (opened: Opened) => Promise<T>,
): Promise<T> {
  const closing = new AbortController();
  const owned = new AsyncDisposableStack();
  try {
    const store = await openRocksDb({ path: join(path, 'notes'), purpose: 'data folder' });
    owned.defer(() => store.close());
    // Reading has connections of its own: what is appended doesn't wait behind what somebody reads.
    const [writing, reading] = [0, 1].map(() => owned.use(new KafkaCluster(options, clock)));
    const reader = new CommittedReader(reading, closing.signal);
    const topics = await openTopics(writing, options, closing.signal);
    if (options.replicas < safeReplicas) {
      logger.warn(
        { replicas: options.replicas },
        'Kafka has fewer than three copies of the log and does not sync them by itself: a power cut of a broker may ' +
          'lose what was acknowledged. Set "log.replicas: 3", or log.flush.interval.messages=1 in the broker.',
      );
    }
    return await make({
      parts: { topics, writing, reader, owned, closing, clock, logger },
      store,
      newWriter: (transactionalId, onTakenOver) =>
        new TransactionalWriter({
          transactionalId,
          cluster: writing,
          clock,
          logger,
          closing: closing.signal,
          onTakenOver,
          isCommitted: (topic, partition, offset) => isCommitted(reader, topic, partition, offset, clock),
        }),
      load: async () => {
        const notes = await NotesTable.open(store, reader, topics);
        const all = Array.from({ length: topics.partitions }, (_, partition) => partition);
        const partitions = await Promise.all(
          all.map((partition) => loadPartition(reader, topics.log, partition)),
        );
        return { notes, partitions };
      },
    });
  } catch (error) {
    closing.abort();
    await owned.disposeAsync();
    throw error;
  }
}

/** Of the process on this folder, over its lives: what it left half done is ended when it comes back. */
async function processName(store: OrderedStore): Promise<string> {
  const stored = await store.get(processKey);
  if (stored) return Buffer.from(stored).toString();
  const name = randomBytes(8).toString('hex');
  await store.write([{ type: 'put', key: processKey, value: Buffer.from(name) }]);
  await store.sync();
  return name;
}

/** Ends of a partition: behind its last entry there are only markers. */
async function loadPartition(reader: CommittedReader, topic: string, partition: number): Promise<Partition> {
  const { first, stable } = await reader.ends(topic, partition);
  for (let back = 4; ; back *= 8) {
    const from = Math.max(first, stable - back);
    let last: LogEntry | undefined;
    for (let at = from; at < stable;) {
      const { records, next } = await reader.fetch(topic, partition, at, fetchBytes);
      const record = records.at(-1);
      if (record) last = entryOf(partition, record);
      if (next === at) break;
      at = next;
    }
    if (last) return { first, next: last.offset + 1, lastReceiveTimeUs: last.receiveTimeUs };
    if (from === first) return { first, next: first, lastReceiveTimeUs: 0 };
  }
}

async function isCommitted(
  reader: CommittedReader,
  topic: string,
  partition: number,
  offset: number,
  clock: Clock,
): Promise<boolean> {
  while ((await reader.ends(topic, partition)).stable <= offset) await clock.sleep(markerMs);
  const { records } = await reader.fetch(topic, partition, offset, 1);
  return records.at(0)?.offset === offset;
}
