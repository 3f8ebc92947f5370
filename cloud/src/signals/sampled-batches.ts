import { decodeBatch, type Batch, type StreamKind } from '@fleetlog/shared/batch';
import type { BatchFacts, Index } from '../index/index.js';
import type { Log } from '../log/log.js';
import type { Validity } from './catalogue/index.js';

/** Moments at which a stream is looked at. */
const looks = 16;

export interface SampleParts {
  index: Pick<Index, 'batches' | 'stream' | 'times'>;
  log: Log;
}

/** Batches of a stream of this kind, evenly over the time that there is in the validity; each once. */
export async function* sampledBatches(
  { index, log }: SampleParts,
  { gateway, stream, kind }: { gateway: string; stream: string; kind: StreamKind },
  validity: Validity = { fromUs: undefined, toUs: undefined },
): AsyncGenerator<{ batch: Batch; facts: BatchFacts }> {
  const summary = await index.stream(gateway, stream);
  const times = await index.times(gateway, stream, 'corrected');
  if (summary?.kind !== kind || !times) return;
  const first = Math.max(times.firstTimeUs, validity.fromUs ?? -Infinity);
  const end = Math.min(times.lastTimeUs + 1, validity.toUs ?? Infinity);
  const step = Math.max(1, (end - first) / looks);
  let last = -1;
  for (let look = 0; look < looks; look++) {
    const fromUs = Math.floor(first + look * step);
    if (fromUs >= end) break;
    for await (const facts of index.batches({ gateway, stream, fromUs, toUs: end, times: 'corrected' })) {
      if (facts.offset === last || facts.kind !== kind) break;
      last = facts.offset;
      const [entry] = await log.get(facts.partition, [facts.offset]);
      if (!entry) break; // trimmed
      yield { batch: decodeBatch(entry.bytes), facts };
      break;
    }
  }
}
