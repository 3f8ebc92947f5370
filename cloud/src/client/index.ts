import { decodeBatch, type Batch } from '@fleetlog/shared/batch';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { systemClock, type Clock } from '@fleetlog/shared/util';
import { RecordPool, type Records } from '../export/records.js';
import { ApiClient } from './api-client.js';
import { MemberConnection } from './member.js';

export interface ReadOptions {
  /** Name of the group: its members share the log's partitions and its checkpoint. */
  group: string;
  /** Where a new group begins: `earliest`, `latest` (where not given), a time, or `PARTITION:OFFSET,…`. */
  from?: string;
  /** Only these gateways, streams. All members of a group should ask for the same. */
  gateways?: readonly string[];
  streams?: readonly string[];
  /**
   * `event-time`: batches as they begin, each held until gateways brought what they have yet, or for `wait` since its
   * receipt (a length of time; `30s` where not given). `arrival` where not given.
   */
  order?: 'arrival' | 'event-time';
  wait?: string;
  /** Ends with what was in the log at the call. */
  untilEnd?: boolean;
  signal?: AbortSignal;
  /** Called where the connection was lost and is tried again. */
  onRetry?: (error: Error) => void;
}

/** A batch with its place in the log. */
export interface ConsumedBatch extends Batch {
  partition: number;
  offset: number;
  receiveTimeUs: number;
  bytes: Uint8Array;
  /** In the order of event time: one that begins later was given before. */
  late: boolean;
  /** Columns, valid until the next batch; event times as they were stamped. Undefined in a gap record. */
  records(): Records | undefined;
}

const retryMsMin = 200;
const retryMsMax = 5000;

/**
 * Reads the log of a cloud:
 *
 *     const log = new LogClient('http://127.0.0.1:8080');
 *     for await (const batch of log.read({ group: 'trips', from: 'earliest' })) {
 *       console.log(batch.header.gateway, batch.records()?.columns.count);
 *     }
 *
 * A batch is finished, and committed soon after, when the loop asks for the next one; one that was under way when the
 * program died comes again (at least once). A lost connection is made anew.
 */
export class LogClient {
  private readonly api: ApiClient;

  /** Errors: FLEETLOG_USAGE where `url` isn't one. */
  constructor(
    url: string,
    private readonly clock: Clock = systemClock,
  ) {
    this.api = new ApiClient(url);
  }

  /** Errors: FLEETLOG_UNREACHABLE at the first connection, FLEETLOG_USAGE, FLEETLOG_BUSY, _BATCH_… for damaged ones. */
  async *read(options: ReadOptions): AsyncGenerator<ConsumedBatch> {
    const { signal = new AbortController().signal, onRetry = () => {}, ...request } = options;
    let failures = 0;
    let wasConnected = false;
    while (!signal.aborted) {
      const member = new MemberConnection(this.api, this.clock, request);
      try {
        for await (const batch of this.batches(member, signal)) {
          wasConnected = true;
          failures = 0;
          yield batch;
        }
        await member.close();
        if (request.untilEnd) return;
      } catch (error) {
        if (signal.aborted) return;
        if (!wasConnected || !isFleetlogError(error) || error.class !== 'link') throw error;
        onRetry(error);
      } finally {
        await member.close().catch(() => undefined); // what isn't committed comes again
      }
      const backOffMs = Math.min(retryMsMax, retryMsMin * 2 ** failures++);
      await this.clock.sleep(backOffMs, signal).catch(() => undefined); // the loop looks at the signal
    }
  }

  private async *batches(member: MemberConnection, signal: AbortSignal): AsyncGenerator<ConsumedBatch> {
    const pool = new RecordPool();
    for await (const event of member.events(signal)) {
      if (event.event === 'position') member.finish(event.partition, event.next);
      if (event.event !== 'batch' || !event.bytes) continue;
      const { partition, offset, receiveTimeUs, bytes, late = false, next = offset + 1 } = event;
      const batch = decodeBatch(bytes);
      let records: Records | undefined;
      yield {
        ...batch,
        partition,
        offset,
        receiveTimeUs,
        bytes,
        late,
        records: () => (batch.header.codec === 'gap-1' ? undefined : (records ??= pool.decode(batch))),
      };
      if (records) pool.release(records);
      member.finish(partition, next);
    }
  }
}
