import type { Streams } from '../api/schemas.js';
import type { QueryApi } from '../client/signal-follower.js';
import { microsOf } from '../client/times.js';
import type { Alert, Watcher } from './watcher.js';

export interface PastRange {
  /** All where it isn't given. */
  gateways?: readonly string[] | undefined;
  /** Event times, `[fromUs, toUs)`. */
  fromUs: number;
  toUs: number;
}

/** Of event time, that is judged in one go; within it alerts of all streams come in their order. */
const windowUs = 600_000_000;

/** What the watcher's rules would have said of the past: forwards in event time, whenever it was received. Errors: those of the API. */
export async function* alertsOfThePast(
  api: QueryApi,
  watcher: Watcher,
  { gateways, fromUs, toUs }: PastRange,
): AsyncGenerator<Alert> {
  const { body } = await api.json<Streams>('/v1/streams');
  const streams = body.streams.flatMap(({ gateway, stream, firstTime, lastTime }) => {
    if (firstTime === undefined || lastTime === undefined) return [];
    if (gateways && !gateways.includes(gateway)) return [];
    const times = {
      fromUs: Math.max(fromUs, microsOf(firstTime)),
      toUs: Math.min(toUs, microsOf(lastTime) + 1),
    };
    return times.fromUs < times.toUs ? [{ gateway, stream, ...times }] : [];
  });
  const end = Math.max(...streams.map((one) => one.toUs));
  for (let at = Math.min(...streams.map((one) => one.fromUs)); at < end; at += windowUs) {
    const alerts: Alert[] = [];
    for (const { gateway, stream, ...times } of streams) {
      const firstTimeUs = Math.max(at, times.fromUs);
      const lastTimeUs = Math.min(at + windowUs, times.toUs) - 1;
      if (firstTimeUs > lastTimeUs) continue;
      const span = { gateway, stream, codec: 'can-1', firstTimeUs, lastTimeUs } as const;
      for await (const alert of watcher.batch(span)) alerts.push(alert);
    }
    yield* alerts.sort((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time)));
  }
}
