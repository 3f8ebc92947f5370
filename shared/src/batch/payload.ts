import { FleetlogError } from '../errors/index.js';
import type { BatchHeader, CodecName } from './types.js';

/** Guards a decoder against a batch of another codec. Errors: FLEETLOG_BATCH_CODEC. */
export function expectCodec(batch: { header: Pick<BatchHeader, 'codec'> }, codec: CodecName): void {
  if (batch.header.codec === codec) return;
  throw new FleetlogError(
    'FLEETLOG_BATCH_CODEC',
    `The batch's codec is ${batch.header.codec}; this decoder reads ${codec}.`,
  );
}

export const malformedPayload = (why: string, cause?: unknown): FleetlogError =>
  new FleetlogError('FLEETLOG_BATCH_MALFORMED', `The batch's payload can't be read: ${why}.`, { cause });

export const overLimit = (what: string): FleetlogError =>
  new FleetlogError(
    'FLEETLOG_BATCH_LIMIT',
    `The batch is over a limit: ${what}; batches must be sealed earlier.`,
  );
