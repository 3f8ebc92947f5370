import type { Arrival, Index } from '../index/index.js';

/** Batches of several streams in the order in which the cloud received them. */
export async function* oldestFirst(
  index: Index,
  streams: readonly { gateway: string; stream: string }[],
): AsyncGenerator<Arrival> {
  const heads: Head[] = [];
  for (const { gateway, stream } of streams) {
    const rest = index.arrivals(gateway, stream)[Symbol.asyncIterator]();
    await insert(heads, rest);
  }
  for (let head = heads.pop(); head; head = heads.pop()) {
    yield head.arrival;
    await insert(heads, head.rest);
  }
}

interface Head {
  arrival: Arrival;
  rest: AsyncIterator<Arrival>;
}

/** Puts a stream's next one where it belongs; the oldest stands last. */
async function insert(heads: Head[], rest: AsyncIterator<Arrival>): Promise<void> {
  const { done, value: arrival } = await rest.next();
  if (done) return;
  let low = 0;
  let high = heads.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (heads[middle].arrival.receiveTimeUs > arrival.receiveTimeUs) low = middle + 1;
    else high = middle;
  }
  heads.splice(low, 0, { arrival, rest });
}
