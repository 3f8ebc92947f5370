import { CAN_EFF_FLAG, CAN_EFF_MASK, CAN_RTR_FLAG, CAN_SFF_MASK } from '@fleetlog/shared/can';
import type { Clock } from '@fleetlog/shared/util';
import type { CanLink } from '../sources/socketcan/netlink.js';
import type { BusTraffic, CanStatistics, IdTraffic } from './can-statistics.js';

/** A bus of a stream: what was heard on it, and what its controller says. */
export interface BusReport extends BusTraffic {
  /** Bits a second; absent where neither the kernel nor the configuration says. */
  bitrate?: number;
  dataBitrate?: number;
  /** Part of the time that frames take on the wire, 0 to 1; absent without a bit rate. */
  load?: number;
  /** Of the controller, where the source is an interface of the kernel. */
  controller?: Pick<CanLink, 'up' | 'state' | 'transmitErrors' | 'receiveErrors' | 'listenOnly'> &
    Partial<NonNullable<CanLink['counts']>>;
}

/** One identifier of a bus, as `status --ids` shows it. */
export interface IdReport {
  bus: string;
  /** 3 or 8 hex digits. */
  id: string;
  remote: boolean;
  frames: number;
  framesPerSecond: number;
  /** Event time of the last frame, µs since 1970, as stamped. */
  lastTimeUs: number;
  /** Its data, hex. */
  data: string;
}

export interface BusWatchOptions {
  statistics: CanStatistics;
  /** Bit rates by the configuration. */
  bitrate: number | undefined;
  dataBitrate: number | undefined;
  /** What the kernel says of the interface; undefined where the stream isn't one, or nobody knows. */
  link: () => CanLink | undefined;
  clock: Clock;
}

/** Answers what is on the buses of one stream. Nothing happens until it is asked. */
export class BusWatch {
  constructor(private readonly options: BusWatchOptions) {}

  report(): BusReport[] {
    const { statistics, clock } = this.options;
    const link = this.options.link();
    const bitrate = link?.bitrate ?? this.options.bitrate;
    const dataBitrate = link?.dataBitrate ?? this.options.dataBitrate;
    return statistics.buses(clock.monotonicUs()).map((traffic) => {
      const load = bitrate === undefined ? undefined : loadOf(traffic, bitrate, dataBitrate);
      return {
        ...traffic,
        ...(bitrate !== undefined && { bitrate }),
        ...(dataBitrate !== undefined && { dataBitrate }),
        ...(load !== undefined && { load }),
        ...(link && { controller: controllerOf(link) }),
      };
    });
  }

  identifiers(): IdReport[] {
    const { statistics, clock } = this.options;
    return statistics.identifiers(clock.monotonicUs()).map(idReport);
  }
}

/** Without a rate of their own, data go at the bus's. */
function loadOf(
  { bitsPerSecond, fastBitsPerSecond }: BusTraffic,
  bitrate: number,
  dataBitrate = bitrate,
): number {
  return bitsPerSecond / bitrate + fastBitsPerSecond / dataBitrate;
}

function controllerOf(link: CanLink): NonNullable<BusReport['controller']> {
  const { up, state, transmitErrors, receiveErrors, listenOnly, counts } = link;
  return { up, state, transmitErrors, receiveErrors, listenOnly, ...counts };
}

function idReport({ bus, id, frames, framesPerSecond, lastTimeUs, data }: IdTraffic): IdReport {
  const isLong = (id & CAN_EFF_FLAG) !== 0;
  const digits = (id & (isLong ? CAN_EFF_MASK : CAN_SFF_MASK)).toString(16).toUpperCase();
  return {
    bus,
    id: digits.padStart(isLong ? 8 : 3, '0'),
    remote: (id & CAN_RTR_FLAG) !== 0,
    frames,
    framesPerSecond,
    lastTimeUs,
    data: Buffer.from(data).toString('hex').toUpperCase(),
  };
}
