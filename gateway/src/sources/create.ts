import { durationMs } from '@fleetlog/shared/config';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { batchLimits, type BatchLimits } from '../batch/limits.js';
import { CandumpFeed } from './candump-feed.js';
import { CommandSource } from './command-source.js';
import { checkStreamKeys, type StreamConfig } from './config.js';
import type { Feed } from './feed.js';
import { FileSource } from './file-source.js';
import { LinesFeed } from './lines-feed.js';
import { ArrivalTimes, RecordedTimes } from './line-times.js';
import { LiveText } from './live-text.js';
import { LivePackets } from './serial/live-packets.js';
import { packetFormat } from './serial/packet-config.js';
import { SerialSource } from './serial/serial-source.js';
import type { Source } from './source.js';

/** The source of a stream. A file's path must be absolute. Errors: FLEETLOG_CONFIG. */
export function createSource(
  stream: string,
  config: StreamConfig,
  { clock, logger }: { clock: Clock; logger: Logger },
): Source {
  checkStreamKeys(stream, config);
  const common = {
    stream,
    limits: batchLimits(config.batch, `streams.${stream}.batch`),
    clock,
    logger: logger.child({ stream }),
  };
  const createFeed = (): Feed => {
    if (config.format === 'candump') return new CandumpFeed();
    return new LinesFeed(config.source === 'file' ? new RecordedTimes(clock) : new ArrivalTimes(clock));
  };
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

function createSerialSource(
  config: StreamConfig,
  common: { stream: string; limits: BatchLimits; clock: Clock; logger: Logger },
  createFeed: () => Feed,
): Source {
  const { path, baud, dataBits, parity, stopBits, rtscts, silence, origin = 'live' } = config;
  const format = config.packet && packetFormat(config.packet, `streams.${common.stream}.packet`);
  return new SerialSource({
    ...common,
    kind: format ? 'samples' : 'lines',
    settings: {
      path: path!,
      baud: baud ?? 115_200,
      dataBits: dataBits === 7 ? 7 : 8,
      parity: parity ?? 'none',
      stopBits: stopBits === 2 ? 2 : 1,
      rtscts: rtscts ?? false,
    },
    silenceMs: silence === 'off' ? Infinity : durationMs(silence ?? '30s'),
    createReader: (counters, sink) =>
      format
        ? new LivePackets({ ...common, origin, format }, counters, sink)
        : new LiveText({ ...common, origin, createFeed }, path!, counters, sink),
  });
}

function paceFactor(pace: 'max' | 'original' | number): number {
  if (pace === 'max') return Infinity;
  return pace === 'original' ? 1 : pace;
}
