import { decodeAck, encodeMessage, type Ack } from '@fleetlog/shared/topics';
import type { AckSink } from '#cloud/ingest/acks.js';

/** Keeps the acknowledgements of an ingest, each as a gateway would read it. */
export class AckRecorder implements AckSink {
  readonly acks: { gateway: string; ack: Ack }[] = [];

  acknowledge(gateway: string, ack: Ack): void {
    this.acks.push({ gateway, ack: decodeAck(encodeMessage(ack)) });
  }

  /** What was last said of a stream. */
  last(gateway: string, stream: string): Ack['streams'][string] | undefined {
    return this.acks.findLast((one) => one.gateway === gateway && Object.hasOwn(one.ack.streams, stream))?.ack
      .streams[stream];
  }
}
