import { decodePlain } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { ConsumerEvent } from '../consumers/types.js';

type Batch = Extract<ConsumerEvent, { event: 'batch' }>;

/** As the cloud sends them: of a decoded batch its text comes first, and then the batch without bytes. */
export type WireEvent =
  | Exclude<ConsumerEvent, Batch>
  | { event: 'records'; text: Uint8Array }
  | (Omit<Batch, 'bytes'> & { bytes?: Uint8Array; error?: string });

/** Errors: FLEETLOG_INTERRUPTED. */
export function readEvent(item: Uint8Array): WireEvent {
  const fields = decodePlain(item, { depthMax: 1, itemsMax: 64 });
  if (fields instanceof Map && typeof fields.get('event') === 'string') {
    return Object.fromEntries(fields as Map<string, unknown>) as unknown as WireEvent;
  }
  throw new FleetlogError(
    'FLEETLOG_INTERRUPTED',
    'The cloud sent an event that this version does not know; update it.',
  );
}
