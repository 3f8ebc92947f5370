import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { batchLimits } from '../batch/limits.js';
import type { GatewayEvents } from '../events/events.js';
import { CandumpFeed } from './candump-feed.js';
import { CommandSource } from './command-source.js';
import { checkStreamKeys, type StreamConfig } from './config.js';
import {
  createGpsdSource,
  createSerialSource,
  createSlcanSource,
  createSocketCanSource,
} from './create-live.js';
import type { Feed } from './feed.js';
import { FileSource } from './file-source.js';
import { LinesFeed } from './lines-feed.js';
import { ArrivalTimes, RecordedTimes } from './line-times.js';
import { NmeaClock } from '../time/nmea-clock.js';
import { SourceClock } from '../time/source-clock.js';
import type { TimeKeeper } from '../time/time-keeper.js';
import type { Source } from './source.js';

interface SourceParts {
  clock: Clock;
  keeper: TimeKeeper;
  logger: Logger;
  events: GatewayEvents;
  compression?: number | undefined;
}

/** The source of a stream. A file's path must be absolute. Errors: FLEETLOG_CONFIG. */
export function createSource(
  stream: string,
  config: StreamConfig,
  { clock, keeper, logger, events, compression }: SourceParts,
): Source {
  checkStreamKeys(stream, config);
  const common = {
    stream,
    limits: batchLimits(config.batch, `streams.${stream}.batch`),
    clock,
    logger: logger.child({ stream }),
    compression,
  };
  // Lines are stamped here; the kernel stamps frames with the system's clock, for candump too.
  const basis = config.format === 'candump' || config.source === 'socketcan' ? 'system' : 'gateway';
  const createClock = (): SourceClock => new SourceClock(clock, keeper, basis);
  const createLiveFeed = (times: SourceClock): Feed => {
    if (config.format === 'candump') return new CandumpFeed();
    const gps = config.clock ? new NmeaClock(clock, keeper) : undefined;
    return new LinesFeed(new ArrivalTimes(times, (...line) => gps?.see(...line)), compression);
  };
  const live = { ...common, createClock };
  if (config.source === 'socketcan') return createSocketCanSource(config, live, events);
  if (config.source === 'gpsd') return createGpsdSource(config, live, createLiveFeed);
  if (config.source === 'slcan') return createSlcanSource(config, live, events);
  if (config.source === 'serial') return createSerialSource(config, live, createLiveFeed);
  if (config.source === 'command') {
    return new CommandSource({
      ...live,
      createFeed: createLiveFeed,
      command: config.command!,
      origin: config.origin ?? 'live',
    });
  }
  return new FileSource({
    ...common,
    createFeed: () =>
      config.format === 'candump'
        ? new CandumpFeed()
        : new LinesFeed(new RecordedTimes(createClock()), compression),
    path: config.path!,
    paceFactor: paceFactor(config.pace ?? 'max'),
    times: config.times ?? 'original',
    strict: config.strict ?? false,
    byClock: config.pace === 'clock',
    origin: config.origin ?? 'recording',
  });
}

function paceFactor(pace: NonNullable<StreamConfig['pace']>): number {
  if (pace === 'max') return Infinity;
  return typeof pace === 'number' ? pace : 1;
}
