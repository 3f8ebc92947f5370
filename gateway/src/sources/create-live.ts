import type { BatchClock } from '@fleetlog/shared/batch';
import { CAN_EFF_FLAG, CAN_EFF_MASK, CAN_RTR_FLAG, CAN_SFF_MASK, type CanFrames } from '@fleetlog/shared/can';
import { byteCount, durationMs } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { BatchLimits } from '../batch/limits.js';
import type { CanStatistics } from '../bus/can-statistics.js';
import type { GatewayEvents } from '../events/events.js';
import type { SourceClock } from '../time/source-clock.js';
import type { StreamConfig } from './config.js';
import { gpsdAddress, openGpsd } from './gpsd/gpsd.js';
import { LiveSource, type LiveSourceOptions } from './live-source.js';
import { LiveText, type LiveTextOptions } from './live-text.js';
import { BaudWatch, strangeInText } from './serial/baud-watch.js';
import { LivePackets } from './serial/live-packets.js';
import { packetFormat } from './serial/packet-config.js';
import { deviceAt, SerialInput, type SerialSettings } from './serial/serial-input.js';
import { bitrates, dataBitrates } from './slcan/slcan-line.js';
import { SlcanReader } from './slcan/slcan-reader.js';
import { askKernel } from './socketcan/ask-kernel.js';
import { BusOffRestart } from './socketcan/bus-off-restart.js';
import { SocketCanSource } from './socketcan/socketcan-source.js';
import type { BatchSink, Source, SourceCounters } from './source.js';

/** What all live sources are given. */
interface Common {
  stream: string;
  limits: BatchLimits;
  clock: Clock;
  logger: Logger;
  compression: number | undefined;
  /** Of the times that the records get or have, one for each life of an input. */
  createClock: () => SourceClock;
  /** Where CAN frames are counted. */
  statistics?: CanStatistics | undefined;
}

/** Lines or packets of a serial port. Errors: FLEETLOG_CONFIG. */
export function createSerialSource(
  config: StreamConfig,
  common: Common,
  createFeed: LiveTextOptions['createFeed'],
): Source {
  const { origin = 'live' } = config;
  const { path, baud } = serialSettings(config);
  const format = config.packet && packetFormat(config.packet, `streams.${common.stream}.packet`);
  const createTextReader = (counters: SourceCounters, sink: BatchSink): LiveText => {
    const isUbx = config.format === 'ubx';
    const watch = new BaudWatch(path, baud, isUbx ? "packet of u-blox's and no text" : 'text', common.logger);
    // Packets aren't text; what is neither is counted as noise when it is taken, after it is seen here.
    let noiseBytes = counters.noiseBytes ?? 0;
    const onChunk = (chunk: Uint8Array): void => {
      const more = (counters.noiseBytes ?? 0) - noiseBytes;
      noiseBytes += more;
      watch.see(chunk.length, isUbx ? more : strangeInText(chunk));
    };
    return new LiveText({ ...common, origin, createFeed, onChunk }, path, counters, sink);
  };
  return new LiveSource({
    ...serialLine(config, common),
    kind: format ? 'samples' : 'lines',
    createReader: (counters, sink) =>
      format
        ? new LivePackets({ ...common, origin, format }, counters, sink)
        : createTextReader(counters, sink),
  });
}

/** CAN frames of an adapter on a serial port. Errors: FLEETLOG_CONFIG. */
export function createSlcanSource(config: StreamConfig, common: Common, events: GatewayEvents): Source {
  const { path, bus = 'can0', origin = 'live', listenOnly = true, timestamps = true } = config;
  const key = `streams.${common.stream}`;
  const settings = {
    bitrate: oneOf(config.bitrate!, bitrates, `${key}.bitrate`),
    dataBitrate: config.dataBitrate && oneOf(config.dataBitrate, dataBitrates, `${key}.dataBitrate`),
    listenOnly,
    timestamps,
  };
  const { clock, statistics } = common;
  const onFrames = statistics && ((frames: CanFrames) => statistics.add(frames, clock.monotonicUs()));
  return new LiveSource({
    // A bus may rightly be silent; the adapter's answers to the question for its state count as being heard.
    ...serialLine(config, common),
    kind: 'can',
    createReader: (counters, sink) =>
      new SlcanReader({ ...common, bus, path: path!, origin, settings, events, onFrames }, counters, sink),
  });
}

/** Frames of an interface of the kernel. Errors: FLEETLOG_CONFIG. */
export function createSocketCanSource(
  config: StreamConfig,
  common: Common & { clockOf: (wallOffsetUs: number) => BatchClock },
  events: GatewayEvents,
): Source {
  const { interface: interfaceName, filters = [], receiveBuffer = '8MiB', origin = 'live' } = config;
  return new SocketCanSource({
    ...common,
    interfaceName: interfaceName!,
    filters: filters.map(canFilter),
    receiveBufferBytes: byteCount(receiveBuffer),
    origin,
    events,
    statistics: common.statistics?.memory,
    restart:
      config.restart === undefined
        ? undefined
        : new BusOffRestart({
            ...common,
            interfaceName: interfaceName!,
            afterMs: durationMs(config.restart),
            ask: askKernel(),
            events,
          }),
  });
}

/** `7E8`, `18FEF100`, `700/7F0`: an identifier of 3 or 8 digits, and which of its bits count. */
function canFilter(text: string): [id: number, mask: number] {
  const [id, mask] = text.split('/');
  const isLong = id.length === 8;
  const bits = mask === undefined ? (isLong ? CAN_EFF_MASK : CAN_SFF_MASK) : Number.parseInt(mask, 16);
  const flags = CAN_EFF_FLAG + CAN_RTR_FLAG;
  return [Number.parseInt(id, 16) + (isLong ? CAN_EFF_FLAG : 0), bits + flags];
}

/** What gpsd reports, as lines of JSON and NMEA. Errors: FLEETLOG_CONFIG. */
export function createGpsdSource(
  config: StreamConfig,
  common: Common,
  createFeed: LiveTextOptions['createFeed'],
): Source {
  const { host = '127.0.0.1:2947', origin = 'live', silence } = config;
  const key = `streams.${common.stream}.host`;
  const address = gpsdAddress(host, key);
  return new LiveSource({
    ...common,
    kind: 'lines',
    place: `gpsd at ${host}`,
    open: async (signal) => openGpsd(address, common.clock, signal),
    silenceMs: silenceMs(silence),
    createReader: (counters, sink) => new LiveText({ ...common, origin, createFeed }, host, counters, sink),
  });
}

function serialLine(
  config: StreamConfig,
  { clock, logger }: Common,
): Pick<LiveSourceOptions, 'place' | 'open' | 'identify' | 'silenceMs' | 'clock'> {
  const settings = serialSettings(config);
  const { path, baud } = settings;
  return {
    place: path,
    open: async () => {
      const input = await SerialInput.open(settings, clock);
      logger.info({ baud }, `Reading ${path} at ${baud} baud.`);
      return input;
    },
    identify: () => deviceAt(path),
    silenceMs: silenceMs(config.silence),
    clock,
  };
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
