import { decodeBatch } from '@fleetlog/shared/batch';
import type { BufferedStream, GatewayBuffer } from './buffer.js';

/** A stream of the buffer with the time span of what is held. */
export interface StreamReport extends BufferedStream {
  /** Smallest event time of the first batch and largest of the last durable one, µs; absent where nothing is held. */
  firstTimeUs?: number;
  lastTimeUs?: number;
}

/** What the buffer holds; reads two batches of each stream. */
export async function inspectBuffer(buffer: GatewayBuffer): Promise<StreamReport[]> {
  const reports: StreamReport[] = [];
  for (const stream of buffer.streams().sort((a, b) => (a.stream < b.stream ? -1 : 1))) {
    const [first] = await buffer.read(stream.stream, stream.first, 1);
    const [last] = await buffer.read(stream.stream, stream.durableNext - 1, 1);
    const report: StreamReport = { ...stream };
    if (first) report.firstTimeUs = decodeBatch(first.bytes).header.firstTimeUs;
    if (last) report.lastTimeUs = decodeBatch(last.bytes).header.lastTimeUs;
    reports.push(report);
  }
  return reports;
}
