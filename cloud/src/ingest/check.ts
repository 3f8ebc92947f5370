import { decodeBatch, identifyBatch, type BatchHeader, type BatchIdentity } from '@fleetlog/shared/batch';
import { FleetlogError, isDataError } from '@fleetlog/shared/errors';

/** Either the header of a batch that may go into the log, unless the log holds it already, or why it may not. */
export type Check =
  | { header: BatchHeader; error?: never }
  | {
      error: FleetlogError;
      /** Which batch the gateway may put aside for it, where that is sure. */
      batch: BatchIdentity | undefined;
    };

/**
 * Checks a message that came on `up/{stream}` of the gateway whose connection it came on.
 *
 * A gateway is told to put a batch aside only where the checksum fits, so that it really sent these bytes, and where
 * the batch is its own. A wrong checksum may be a fault of the way: the gateway will send the batch again.
 */
export function checkBatch(gateway: string, stream: string, bytes: Uint8Array): Check {
  let header: BatchHeader;
  try {
    header = decodeBatch(bytes).header;
  } catch (error) {
    if (!isDataError(error)) throw error;
    const identity = error.code === 'FLEETLOG_BATCH_CHECKSUM' ? undefined : identifyBatch(bytes);
    return { error, batch: identity?.gateway === gateway ? identity : undefined };
  }
  if (header.gateway !== gateway) {
    const error = new FleetlogError(
      'FLEETLOG_FOREIGN_GATEWAY',
      `The gateway "${gateway}" sent a batch of the gateway "${header.gateway}"; give each gateway its own id.`,
    );
    return { error, batch: undefined };
  }
  if (header.stream !== stream) {
    const error = new FleetlogError(
      'FLEETLOG_TOPIC',
      `A batch of the stream "${header.stream}" came on the topic of "${stream}".`,
    );
    return { error, batch: header };
  }
  return { header };
}
