import { checkConfig } from '@fleetlog/shared/config';
import { silentLogger, type Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { CanStatistics } from '#gateway/bus/can-statistics.js';
import type { GatewayEvents } from '#gateway/events/events.js';
import { StreamConfig } from '#gateway/sources/config.js';
import { createSource } from '#gateway/sources/create.js';
import type { Source } from '#gateway/sources/source.js';
import type { TimeKeeper } from '#gateway/time/time-keeper.js';
import { FakeClock } from './fake-clock.js';
import { keeperOn } from './keeper.js';

/** A source as the gateway makes it of a piece of configuration. */
export function sourceOf(
  config: object,
  parts: {
    clock?: Clock;
    logger?: Logger;
    events?: GatewayEvents;
    keeper?: TimeKeeper;
    statistics?: CanStatistics | undefined;
  } = {},
): Source {
  const { clock = new FakeClock(), logger = silentLogger, events = noEvents, statistics } = parts;
  return createSource('stream0', checkConfig(StreamConfig, config, 'test'), {
    clock,
    keeper: parts.keeper ?? keeperOn(clock),
    logger,
    events,
    statistics,
  });
}

export const noEvents: GatewayEvents = { note: () => {} };

export const candumpFile = (path: string, more: object = {}): object => ({
  source: 'file',
  format: 'candump',
  path,
  ...more,
});

export const linesFile = (path: string, more: object = {}): object => ({
  source: 'file',
  format: 'lines',
  path,
  ...more,
});

export const never: AbortSignal = new AbortController().signal;
