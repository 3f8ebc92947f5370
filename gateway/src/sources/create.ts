import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { batchLimits } from '../batch/limits.js';
import type { GatewayEvents } from '../events/events.js';
import { CandumpFeed } from './candump-feed.js';
import { CommandSource } from './command-source.js';
import { checkStreamKeys, type StreamConfig } from './config.js';
import { createGpsdSource, createSerialSource, createSlcanSource } from './create-live.js';
import type { Feed } from './feed.js';
import { FileSource } from './file-source.js';
import { LinesFeed } from './lines-feed.js';
import { ArrivalTimes, RecordedTimes } from './line-times.js';
import type { Source } from './source.js';

/** The source of a stream. A file's path must be absolute. Errors: FLEETLOG_CONFIG. */
export function createSource(
  stream: string,
  config: StreamConfig,
  {
    clock,
    logger,
    events,
    compression,
  }: { clock: Clock; logger: Logger; events: GatewayEvents; compression?: number | undefined },
): Source {
  checkStreamKeys(stream, config);
  const common = {
    stream,
    limits: batchLimits(config.batch, `streams.${stream}.batch`),
    clock,
    logger: logger.child({ stream }),
    compression,
  };
  const createFeed = (): Feed => {
    if (config.format === 'candump') return new CandumpFeed();
    const times = config.source === 'file' ? new RecordedTimes(clock) : new ArrivalTimes(clock);
    return new LinesFeed(times, compression);
  };
  if (config.source === 'gpsd') return createGpsdSource(config, common, createFeed);
  if (config.source === 'slcan') return createSlcanSource(config, common, events);
  if (config.source === 'serial') return createSerialSource(config, common, createFeed);
  if (config.source === 'command') {
    return new CommandSource({
      ...common,
      createFeed,
      command: config.command!,
      origin: config.origin ?? 'live',
    });
  }
  return new FileSource({
    ...common,
    createFeed,
    path: config.path!,
    paceFactor: paceFactor(config.pace ?? 'max'),
    times: config.times ?? 'original',
    strict: config.strict ?? false,
  });
}

function paceFactor(pace: 'max' | 'original' | number): number {
  if (pace === 'max') return Infinity;
  return pace === 'original' ? 1 : pace;
}
