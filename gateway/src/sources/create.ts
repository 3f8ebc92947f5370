import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { batchLimits } from '../batch/limits.js';
import type { CanStatistics } from '../bus/can-statistics.js';
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
import { ArrivalTimes, RecordedTimes, type LineTimes } from './line-times.js';
import { ReceiverClock } from '../time/receiver-clock.js';
import { SourceClock } from '../time/source-clock.js';
import type { TimeKeeper } from '../time/time-keeper.js';
import type { Source } from './source.js';
import { UbxFeed } from './ubx/ubx-feed.js';

interface SourceParts {
  clock: Clock;
  keeper: TimeKeeper;
  logger: Logger;
  events: GatewayEvents;
  compression?: number | undefined;
  /** Where CAN frames are counted. */
  statistics?: CanStatistics | undefined;
}

/** The source of a stream. A file's path must be absolute. Errors: FLEETLOG_CONFIG. */
export function createSource(
  stream: string,
  config: StreamConfig,
  { clock, keeper, logger, events, compression, statistics }: SourceParts,
): Source {
  checkStreamKeys(stream, config);
  const common = {
    stream,
    limits: batchLimits(config.batch, `streams.${stream}.batch`),
    clock,
    logger: logger.child({ stream }),
    compression,
  };
  // Lines are stamped here; the kernel stamps frames with the system's clock, for candump.
  const basis = config.format === 'candump' ? 'system' : 'gateway';
  const createClock = (): SourceClock => new SourceClock(clock, keeper, basis);
  const createCandumpFeed = (): Feed =>
    new CandumpFeed(statistics && ((frames) => statistics.add(frames, clock.monotonicUs())));
  const createLinesFeed = (times: LineTimes): Feed =>
    config.format === 'ubx' ? new UbxFeed(times, compression) : new LinesFeed(times, compression);
  const createLiveFeed = (times: SourceClock): Feed => {
    if (config.format === 'candump') return createCandumpFeed();
    const isLocalGpsd = config.source === 'gpsd' && isThisMachine(config.host);
    const gps = config.clock ? new ReceiverClock(clock, keeper, { isLocalGpsd }) : undefined;
    return createLinesFeed(new ArrivalTimes(times, (...line) => gps?.see(...line)));
  };
  const live = { ...common, createClock, statistics };
  if (config.source === 'socketcan') {
    return createSocketCanSource(
      config,
      { ...live, clockOf: (offsetUs) => keeper.readingOf(offsetUs) },
      events,
    );
  }
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
      config.format === 'candump' ? createCandumpFeed() : createLinesFeed(new RecordedTimes(createClock())),
    path: config.path!,
    paceFactor: paceFactor(config.pace ?? 'max'),
    times: config.times ?? 'original',
    strict: config.strict ?? false,
    byClock: config.pace === 'clock',
    origin: config.origin ?? 'recording',
  });
}

/** gpsd compares pulses with the clock of the machine that it runs on. */
const isThisMachine = (host = '127.0.0.1'): boolean => /^(127\.|localhost:|\[::1\])/.test(host);

function paceFactor(pace: NonNullable<StreamConfig['pace']>): number {
  if (pace === 'max') return Infinity;
  return typeof pace === 'number' ? pace : 1;
}
