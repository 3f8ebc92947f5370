import { FleetlogError } from '@fleetlog/shared/errors';
import type { StreamSummary } from '../index/index.js';
import type { ApiContext } from './context.js';
import { checkFilter, findStream } from './find-stream.js';

const streamsMax = 256;

/**
 * The streams of these names on these gateways; all of them where no stream is named. Never none.
 * Errors: FLEETLOG_NOT_FOUND with the names that there are, FLEETLOG_USAGE for too many.
 */
export async function chosenStreams(
  { index, fleet }: ApiContext,
  gateways: readonly string[],
  streams: readonly string[] | undefined,
): Promise<StreamSummary[]> {
  const chosen: StreamSummary[] = [];
  for (const gateway of new Set(gateways)) {
    if (streams) {
      for (const stream of new Set(streams)) chosen.push(await findStream(index, fleet, gateway, stream));
    } else {
      await checkFilter(index, fleet, { gateway });
      for await (const summary of index.streams({ gateway })) chosen.push(summary);
    }
    if (chosen.length > streamsMax) {
      throw new FleetlogError(
        'FLEETLOG_USAGE',
        `More than ${streamsMax} streams; choose fewer with --stream.`,
      );
    }
  }
  if (chosen.length > 0) return chosen;
  throw new FleetlogError('FLEETLOG_NOT_FOUND', `The log has nothing of ${gateways.join(', ')} yet.`);
}
