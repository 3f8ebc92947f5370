import { isGatewayId, isStreamName } from '@fleetlog/shared/batch';
import { FleetlogError } from '@fleetlog/shared/errors';

/** Errors: FLEETLOG_USAGE for names that nothing can have. */
export function checkNames(gateway: string, stream: string | undefined): void {
  if (!isGatewayId(gateway)) throw unfit(gateway, 'the id of a gateway: a–z, 0–9 and -');
  if (stream !== undefined && !isStreamName(stream))
    throw unfit(stream, 'the name of a stream: a–z, 0–9, - and _');
}

const unfit = (name: string, what: string): FleetlogError =>
  new FleetlogError('FLEETLOG_USAGE', `"${name}" can't be ${what}, at most 63, a letter or digit first.`);
