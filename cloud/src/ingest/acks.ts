import type { BatchIdentity } from '@fleetlog/shared/batch';
import { ackRangesMax, type Ack, type RefusedBatch } from '@fleetlog/shared/topics';
import type { RangeSet } from '@fleetlog/shared/util';

/** Where acknowledgements go; one that gets lost costs nothing, since the next says all again. */
export interface AckSink {
  acknowledge(gateway: string, ack: Ack): void;
}

type StreamIdentity = Omit<BatchIdentity, 'sequence'>;

/** The acknowledgements of one commit: one per gateway and epoch, however many batches it had. */
export class Acks {
  private readonly byLife = new Map<string, { gateway: string; ack: Ack }>();

  held(stream: StreamIdentity, held: RangeSet): void {
    this.entry(stream).held = held.toFlat().slice(0, 2 * ackRangesMax);
  }

  refused(stream: StreamIdentity, batch: RefusedBatch): void {
    (this.entry(stream).refused ??= []).push(batch);
  }

  sendTo(sink: AckSink): void {
    for (const { gateway, ack } of this.byLife.values()) sink.acknowledge(gateway, ack);
  }

  private entry({ gateway, epoch, stream }: StreamIdentity): Ack['streams'][string] {
    const life = `${gateway}/${epoch}`;
    let entry = this.byLife.get(life);
    if (!entry) this.byLife.set(life, (entry = { gateway, ack: { epoch, streams: {} } }));
    return (entry.ack.streams[stream] ??= { held: [] });
  }
}
