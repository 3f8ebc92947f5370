import type { BatchIdentity } from '@fleetlog/shared/batch';
import { ackRangesMax, type Ack, type RefusedBatch } from '@fleetlog/shared/topics';
import type { RangeSet } from '@fleetlog/shared/util';

/** Where acknowledgements go; one that gets lost costs nothing, since the next says all again. */
export interface AckSink {
  acknowledge(gateway: string, ack: Ack): void;
}

type StreamIdentity = Omit<BatchIdentity, 'sequence'>;
type StreamAck = Ack['streams'][string];

/** Refused batches told at once for a stream; the others are told when they are sent again. */
const refusedMax = 64;
/** Numbers in one message, about: gateways take messages of 256 KiB. */
const numbersMax = 8192;
const numbersPerRefused = 32;

/** The acknowledgements of one commit: one per gateway and epoch where it fits, however many batches it had. */
export class Acks {
  private readonly byLife = new Map<
    string,
    { gateway: string; epoch: string; streams: Map<string, StreamAck> }
  >();

  held(stream: StreamIdentity, held: RangeSet): void {
    this.entry(stream).held = held.toFlat().slice(0, 2 * ackRangesMax);
  }

  refused(stream: StreamIdentity, batch: RefusedBatch): void {
    const refused = (this.entry(stream).refused ??= []);
    if (refused.length < refusedMax) refused.push(batch);
  }

  sendTo(sink: AckSink): void {
    for (const { gateway, epoch, streams } of this.byLife.values()) {
      let part: Ack['streams'] = {};
      let numbers = 0;
      for (const [stream, ack] of streams) {
        const more = ack.held.length + numbersPerRefused * (1 + (ack.refused?.length ?? 0));
        if (numbers > 0 && numbers + more > numbersMax) {
          sink.acknowledge(gateway, { epoch, streams: part });
          part = {};
          numbers = 0;
        }
        part[stream] = ack;
        numbers += more;
      }
      sink.acknowledge(gateway, { epoch, streams: part });
    }
  }

  private entry({ gateway, epoch, stream }: StreamIdentity): StreamAck {
    const life = `${gateway}/${epoch}`;
    let entry = this.byLife.get(life);
    if (!entry) this.byLife.set(life, (entry = { gateway, epoch, streams: new Map() }));
    let ack = entry.streams.get(stream);
    if (!ack) entry.streams.set(stream, (ack = { held: [] }));
    return ack;
  }
}
