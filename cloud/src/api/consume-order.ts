import { FleetlogError } from '@fleetlog/shared/errors';
import type { OrderOptions } from '../consumers/event-order.js';
import type { Index } from '../index/index.js';
import type { TimesName } from '../time/correction.js';
import { parseDuration } from './time.js';

export const consumeOrders = ['arrival', 'event-time'] as const;
export type ConsumeOrder = (typeof consumeOrders)[number];

const waitDefault = '30s';
const waitUsMax = 7 * 86_400e6;

/** What a request says of the order; undefined for that of arrival. Errors: FLEETLOG_USAGE. */
export function orderOf(
  { order = 'arrival', wait, times }: { order?: ConsumeOrder; wait?: string; times: TimesName },
  index: Index,
): OrderOptions | undefined {
  if (order === 'arrival') {
    if (wait === undefined) return undefined;
    throw new FleetlogError('FLEETLOG_USAGE', 'A wait is for the order of event time; add order=event-time.');
  }
  const waitUs = parseDuration(wait ?? waitDefault);
  if (waitUs > waitUsMax) throw new FleetlogError('FLEETLOG_USAGE', 'A batch waits a week (7d) at most.');
  return {
    waitUs,
    timeOf: async (header) => {
      const correction = times === 'corrected' ? await index.correction(header) : undefined;
      return correction?.correctedUs(header.firstTimeUs) ?? header.firstTimeUs;
    },
  };
}
