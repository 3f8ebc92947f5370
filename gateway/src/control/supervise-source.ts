import { isFleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { GatewayBuffer } from '../buffer/buffer.js';
import type { BusWatch } from '../bus/bus-watch.js';
import type { Source } from '../sources/source.js';
import type { BackOff } from '../uplink/back-off.js';

export type SourceCondition = 'running' | 'waiting' | 'ended';

export interface SupervisedSource {
  stream: string;
  source: Source;
  /** `waiting`: it failed and will be tried again. */
  condition: SourceCondition;
  /** Of CAN streams. */
  bus?: BusWatch | undefined;
}

/**
 * Runs a source to its end. What failed for want of a resource (a device that was unplugged, a disk) is tried again,
 * from behind the last batch that was put; any other error is the caller's.
 */
export async function superviseSource(
  supervised: SupervisedSource,
  buffer: GatewayBuffer,
  parts: { clock: Clock; backOff: BackOff; logger: Logger },
  signal: AbortSignal,
): Promise<void> {
  const { stream, source } = supervised;
  let said = '';
  while (!signal.aborted) {
    supervised.condition = 'running';
    const recordsBefore = source.counters.records;
    try {
      await source.run(buffer, await buffer.position(stream), signal);
      break;
    } catch (error) {
      if (!isFleetlogError(error) || error.class !== 'resource' || error.code === 'FLEETLOG_PLATFORM')
        throw error;
      // A device may be away for days: what is said again and again isn't read.
      const level = error.message === said ? 'debug' : 'warn';
      parts.logger[level]({ stream, code: error.code }, `${error.message} Trying again.`);
      said = error.message;
    }
    if (source.counters.records > recordsBefore) {
      parts.backOff.reset();
      said = '';
    }
    supervised.condition = 'waiting';
    await parts.clock.sleep(parts.backOff.nextMs(), signal).catch(() => undefined);
  }
  supervised.condition = 'ended';
}
