import { durationMs } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import { batchLimits, type BatchLimits } from '../batch/limits.js';
import type { GatewayEvents } from '../events/events.js';
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
import type { SerialSettings } from './serial/serial-input.js';
import { SerialSource } from './serial/serial-source.js';
import { bitrates, dataBitrates } from './slcan/slcan-line.js';
import { SlcanReader } from './slcan/slcan-reader.js';
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

interface Common {
  stream: string;
  limits: BatchLimits;
  clock: Clock;
  logger: Logger;
  compression: number | undefined;
}

function createSerialSource(config: StreamConfig, common: Common, createFeed: () => Feed): Source {
  const { path, silence, origin = 'live' } = config;
  const format = config.packet && packetFormat(config.packet, `streams.${common.stream}.packet`);
  return new SerialSource({
    ...common,
    kind: format ? 'samples' : 'lines',
    settings: serialSettings(config),
    silenceMs: silenceMs(silence),
    createReader: (counters, sink) =>
      format
        ? new LivePackets({ ...common, origin, format }, counters, sink)
        : new LiveText({ ...common, origin, createFeed }, path!, counters, sink),
  });
}

function createSlcanSource(config: StreamConfig, common: Common, events: GatewayEvents): Source {
  const { path, bus = 'can0', origin = 'live', listenOnly = true, timestamps = true } = config;
  const key = `streams.${common.stream}`;
  const settings = {
    bitrate: oneOf(config.bitrate!, bitrates, `${key}.bitrate`),
    dataBitrate: config.dataBitrate && oneOf(config.dataBitrate, dataBitrates, `${key}.dataBitrate`),
    listenOnly,
    timestamps,
  };
  return new SerialSource({
    ...common,
    kind: 'can',
    settings: serialSettings(config),
    // A bus may rightly be silent; the adapter's answers to the question for its state count as being heard.
    silenceMs: silenceMs(config.silence),
    createReader: (counters, sink) =>
      new SlcanReader({ ...common, bus, path: path!, origin, settings, events }, counters, sink),
  });
}

function serialSettings({ path, baud, dataBits, parity, stopBits, rtscts }: StreamConfig): SerialSettings {
  return {
    path: path!,
    baud: baud ?? 115_200,
    dataBits: dataBits === 7 ? 7 : 8,
    parity: parity ?? 'none',
    stopBits: stopBits === 2 ? 2 : 1,
    rtscts: rtscts ?? false,
  };
}

const silenceMs = (text = '30s'): number => (text === 'off' ? Infinity : durationMs(text));

function oneOf<Value extends number>(value: number, values: readonly Value[], key: string): Value {
  const found = values.find((one) => one === value);
  if (found !== undefined) return found;
  throw new FleetlogError('FLEETLOG_CONFIG', `"${key}" is ${value}; it must be one of ${values.join(', ')}.`);
}

function paceFactor(pace: 'max' | 'original' | number): number {
  if (pace === 'max') return Infinity;
  return pace === 'original' ? 1 : pace;
}
