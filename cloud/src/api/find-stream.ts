import type { Index, StreamFilter, StreamSummary } from '../index/index.js';
import type { Fleet } from '../ingest/fleet.js';
import { unknownName } from './nearest-names.js';

/** Refuses a filter that names what isn't there. Errors: FLEETLOG_NOT_FOUND with the names that there are. */
export async function checkFilter(index: Index, fleet: Fleet, filter: StreamFilter): Promise<void> {
  const { gateway, stream } = filter;
  if (gateway === undefined && stream === undefined) return;
  for await (const _ of index.streams(filter)) return;
  const gateways = new Set<string>();
  const streams = new Set<string>();
  for (const { gateway: name, status } of fleet.presence()) {
    gateways.add(name);
    if (gateway !== undefined && gateway !== name) continue;
    for (const one of Object.keys(status?.streams ?? {})) streams.add(one);
  }
  for await (const summary of index.streams()) {
    gateways.add(summary.gateway);
    if (gateway === undefined || gateway === summary.gateway) streams.add(summary.stream);
  }
  if (gateway !== undefined && !gateways.has(gateway)) throw unknownName('gateway', gateway, [...gateways]);
  if (stream !== undefined && !streams.has(stream)) {
    const what = gateway === undefined ? 'stream' : `stream on gateway ${gateway} called`;
    throw unknownName(what, stream, [...streams]);
  }
}

/** Errors: FLEETLOG_NOT_FOUND. */
export async function findStream(
  index: Index,
  fleet: Fleet,
  gateway: string,
  stream: string,
): Promise<StreamSummary> {
  const found = await index.stream(gateway, stream);
  if (found) return found;
  await checkFilter(index, fleet, { gateway, stream });
  throw unknownName(`stream on gateway ${gateway} called`, stream, []); // announced, and nothing came yet
}
