import { decodeAck, encodeMessage, type Ack } from '@fleetlog/shared/topics';
import type { AckSink } from '#cloud/ingest/acks.js';

/** Keeps the acknowledgements of an ingest, each as a gateway would read it. */
export class AckRecorder implements AckSink {
  readonly acks: { gateway: string; ack: Ack }[] = [];
  onAck: (gateway: string, ack: Ack) => void = () => undefined;

  acknowledge(gateway: string, ack: Ack): void {
    const read = decodeAck(encodeMessage(ack));
    this.acks.push({ gateway, ack: read });
    this.onAck(gateway, read);
  }

  /** What was last said of a stream. */
  last(gateway: string, stream: string): Ack['streams'][string] | undefined {
    return this.acks.findLast((one) => one.gateway === gateway && stream in one.ack.streams)?.ack.streams[
      stream
    ];
  }
}
