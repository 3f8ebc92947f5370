import { join } from 'node:path';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { LogConfig } from './config.js';
import type { Log, SharedLog } from './log.js';
import { openLog } from './rocksdb-log.js';

export interface LogParts {
  /** The cloud's data folder. */
  data: string;
  logger: Logger;
  clock: Clock;
  /** Another process has the log now, and nothing can be written any more. */
  onTakenOver: (error: Error) => void;
}

/** The log that the configuration asks for. Errors: those of its kind. */
export async function openConfiguredLog(
  config: LogConfig,
  { data, ...parts }: LogParts,
): Promise<Log | SharedLog> {
  if (config.kind === 'rocksdb') return openLog({ path: join(data, 'log'), ...config, ...parts });
  // Its client takes memory, which a cloud without Kafka doesn't need to have.
  const { openKafkaLog, openSharedKafkaLog } = await import('./kafka/open-kafka-log.js');
  return (config.shared ? openSharedKafkaLog : openKafkaLog)({
    path: join(data, 'kafka'),
    ...config,
    ...parts,
  });
}

export const isShared = (log: Log | SharedLog): log is SharedLog => 'take' in log;
