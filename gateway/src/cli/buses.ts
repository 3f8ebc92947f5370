import type { BusReport, IdReport } from '../bus/bus-watch.js';
import type { GatewayReport, IdsReport } from '../control/status.js';
import { table } from './table.js';

/** The buses of a gateway as a table; empty where it has none. */
export function busTable({ streams }: GatewayReport): string {
  const rows = streams.flatMap(({ stream, buses = [] }) =>
    buses.map((bus) => [
      stream,
      bus.bus,
      bus.bitrate === undefined ? '-' : rates(bus),
      bus.load === undefined ? '-' : `${(100 * bus.load).toFixed(1)} %`,
      Math.round(bus.framesPerSecond),
      bus.frames,
      bus.errorFrames,
      stateOf(bus),
      counters(bus),
    ]),
  );
  if (rows.length === 0) return '';
  const head = ['stream', 'bus', 'kbit/s', 'load', 'frames/s', 'frames', 'errors', 'state', 'errors tx/rx'];
  return table(head, rows);
}

/** The identifiers of each stream as a table. */
export function idTable(ids: IdsReport): string {
  const rows = Object.entries(ids).flatMap(([stream, list]) => list.map((id) => idRow(stream, id)));
  if (rows.length === 0) return 'No CAN frame was heard yet.';
  return table(['stream', 'bus', 'id', 'frames/s', 'frames', 'last', 'data'], rows);
}

function idRow(stream: string, row: IdReport): (string | number)[] {
  const { bus, id, remote, framesPerSecond, frames, lastTimeUs, data } = row;
  const last = new Date(lastTimeUs / 1000).toISOString();
  return [stream, bus, id, rounded(framesPerSecond), frames, last, remote ? 'remote request' : data];
}

/** Slow ones with a digit behind the point. */
const rounded = (rate: number): number => (rate < 10 ? Math.round(rate * 10) / 10 : Math.round(rate));

const rates = ({ bitrate = 0, dataBitrate }: BusReport): string =>
  [bitrate, ...(dataBitrate === undefined ? [] : [dataBitrate])].map((rate) => rate / 1000).join(' / ');

function stateOf({ controller }: BusReport): string {
  if (!controller) return '-';
  return controller.up ? (controller.state ?? 'up') : 'down';
}

function counters({ controller }: BusReport): string {
  if (controller?.transmitErrors === undefined) return '-';
  return `${controller.transmitErrors}/${controller.receiveErrors}`;
}
