import { FleetlogError } from '@fleetlog/shared/errors';
import { isKafkaError, type KafkaCluster } from './cluster.js';

export interface TopicOptions {
  /** Of the log's topic; the notes are in `NAME-notes`. */
  topic: string;
  /** What a new topic gets; another number for one that is there is refused. */
  partitions: number | undefined;
  /** Copies of each partition; from 3 on two of them must have a batch before it is acknowledged. */
  replicas: number;
  /** Several clouds write to it, each its share of the partitions. Fixed when the topics are made. */
  shared: boolean;
}

export interface Topics {
  log: string;
  notes: string;
  /** Of the log's topic: another one of the same name has another. */
  id: string;
  partitions: number;
  /** One for all; or one for each partition of the log and, behind them, one for what belongs to no gateway. */
  notesPartitions: number;
}

const partitionsDefault = 8;
/** A batch is at most 4 MiB; an operator's broker default of 1 MB would refuse it. */
const messageBytesMax = 8 * 1024 * 1024;

/**
 * Makes the two topics where they aren't there yet. The log keeps everything until it is trimmed; of the notes the
 * newest of each key stays. Errors: FLEETLOG_CONFIG, FLEETLOG_UNREACHABLE.
 */
export async function openTopics(
  cluster: KafkaCluster,
  { topic, partitions, replicas, shared }: TopicOptions,
  signal: AbortSignal,
): Promise<Topics> {
  const names = { log: topic, notes: `${topic}-notes` };
  const common = {
    'max.message.bytes': String(messageBytesMax),
    'message.timestamp.type': 'CreateTime',
    'message.timestamp.after.max.ms': String(2n ** 63n - 1n), // the cloud's clock counts, however wrong it is
    'min.insync.replicas': String(replicas >= 3 ? 2 : 1),
    'unclean.leader.election.enable': 'false',
  };
  const logConfig = { ...common, 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1' };
  const notesConfig = { ...common, 'cleanup.policy': 'compact' };
  const patience = { msMax: 30_000, signal };
  try {
    await cluster.patiently(async () => {
      const there = new Set(await cluster.admin.listTopics());
      if (!there.has(names.log))
        await create(cluster, names.log, partitions ?? partitionsDefault, replicas, logConfig);
      if (there.has(names.notes)) return;
      const { leaders } = await cluster.topic(names.log);
      await create(cluster, names.notes, shared ? leaders.length + 1 : 1, replicas, notesConfig);
    }, patience);
    const { id, leaders } = await cluster.patiently(() => cluster.topic(names.log), patience);
    const notes = await cluster.patiently(() => cluster.topic(names.notes), patience);
    const notesPartitions = notes.leaders.length;
    if (shared !== notesPartitions > 1) {
      throw new FleetlogError(
        'FLEETLOG_CONFIG',
        `The topic ${topic} was made for ${shared ? 'one cloud' : 'several clouds'}, which is fixed; ` +
          `set "log.shared: ${!shared}", or another "log.topic".`,
      );
    }
    if (partitions !== undefined && partitions !== leaders.length) {
      throw new FleetlogError(
        'FLEETLOG_CONFIG',
        `The topic ${topic} has ${leaders.length} partitions, which is fixed; set "log.partitions" to ${leaders.length} or leave it out.`,
      );
    }
    return { ...names, id, partitions: leaders.length, notesPartitions };
  } catch (error) {
    throw cluster.complaint(error);
  }
}

async function create(
  cluster: KafkaCluster,
  topic: string,
  partitions: number,
  replicas: number,
  config: Record<string, string>,
): Promise<void> {
  const configs = Object.entries(config).map(([name, value]) => ({ name, value }));
  try {
    await cluster.admin.createTopics({ topics: [topic], partitions, replicas, configs });
  } catch (error) {
    if (!isKafkaError(error, 'TOPIC_ALREADY_EXISTS')) throw error;
  }
}
