import { isFleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { carriesCan, type StreamConfig } from '../sources/config.js';
import { askKernel } from '../sources/socketcan/ask-kernel.js';
import { listCanLinks, type AskKernel, type CanLink } from '../sources/socketcan/netlink.js';
import { BusWatch } from './bus-watch.js';
import { CanStatistics } from './can-statistics.js';

/** Counts the frames of a stream, and answers for them; undefined where it isn't one of CAN frames. */
export function createBus(
  config: StreamConfig,
  clock: Clock,
): { statistics: CanStatistics; watch: BusWatch } | undefined {
  if (!carriesCan(config)) return undefined;
  const { source, interface: interfaceName, bitrate, dataBitrate } = config;
  const isKernels = source === 'socketcan' && interfaceName !== undefined;
  const statistics = new CanStatistics(isKernels ? [interfaceName] : []);
  const link = isKernels ? lookUp(interfaceName) : () => undefined;
  return { statistics, watch: new BusWatch({ statistics, bitrate, dataBitrate, link, clock }) };
}

/** Asks the kernel each time: what it answers changes, and nobody asks often. */
function lookUp(interfaceName: string): () => CanLink | undefined {
  let ask: AskKernel | undefined;
  return () => {
    try {
      ask ??= askKernel();
      return listCanLinks(ask).find(({ name }) => name === interfaceName);
    } catch (error) {
      if (!isFleetlogError(error)) throw error;
      return undefined; // the frames are counted all the same
    }
  };
}
