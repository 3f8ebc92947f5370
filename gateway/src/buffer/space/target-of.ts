import type { OrderedStore } from '@fleetlog/shared/store';
import type { StoredBatches } from '../stored-batches.js';
import type { StreamState } from '../stream-state.js';
import { batchOverheadBytes } from './limits.js';
import type { SpaceTarget } from './target.js';

/** What a buffer holds and can give up. */
export function spaceTargetOf(
  states: ReadonlyMap<string, StreamState>,
  store: OrderedStore,
  stored: StoredBatches,
  actions: Pick<SpaceTarget, 'giveUp' | 'thin' | 'flush'>,
): SpaceTarget {
  const sum = (value: (state: StreamState) => number): number => {
    let total = 0;
    for (const state of states.values()) total += value(state);
    return total;
  };
  return {
    ...actions,
    heldBytes: () => sum((state) => state.heldBytes + state.heldBatches * batchOverheadBytes),
    putBytes: () => sum((state) => state.put.bytes + state.rewrittenBytes + state.next * batchOverheadBytes),
    heldStreams: () =>
      Array.from(states.values(), (state) => ({
        stream: state.stream,
        kind: state.kind,
        oldest: state.oldestRun(),
        whole: state.oldestRun(state.thinned.next),
        thinnedShare: state.thinned.bytes / Math.max(1, state.heldBytes),
        bytesPerBatch: state.heldBytes / Math.max(1, state.heldBatches) + batchOverheadBytes,
      })),
    header: (stream, sequence) => stored.header(stream, sequence),
    diskBytes: () => store.diskBytes(),
    reclaim: (rewriteShare) => store.compact({ rewriteShare }),
  };
}
