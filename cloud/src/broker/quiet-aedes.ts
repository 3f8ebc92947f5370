import { Readable } from 'node:stream';
import { Aedes, type AedesOptions, type Client, type PublishPacket } from 'aedes';
import { topics } from '@fleetlog/shared/topics';

/** Topics that nobody can subscribe to: what is sent there goes nowhere. */
const nowhere = '$';
/** `fleetlog/v1/GATEWAY/…` */
const gatewayLevel = 2;

interface Persistence {
  storeRetained(packet: PublishPacket): Promise<void>;
  createRetainedStreamCombi(patterns: readonly string[]): Readable;
}

/**
 * aedes without what costs a fleet most and brings it nothing: with each subscription it would hold all retained
 * messages against the pattern, so that a fleet that comes back costs the square of its size; and each message that
 * goes nowhere would be held against all subscriptions.
 */
export class QuietAedes extends Aedes {
  /** The only message of a gateway that is retained. */
  private readonly statuses = new Map<string, PublishPacket>();

  static async start(options: AedesOptions): Promise<QuietAedes> {
    const aedes = new QuietAedes(options);
    await aedes.listen();
    const { statuses } = aedes;
    const { persistence } = aedes as unknown as { persistence: Persistence };
    persistence.storeRetained = (packet) => {
      if (packet.payload.length === 0) statuses.delete(packet.topic);
      else statuses.set(packet.topic, { ...packet });
      return Promise.resolve();
    };
    persistence.createRetainedStreamCombi = (patterns) =>
      Readable.from(patterns.flatMap((pattern) => statusFor(pattern, statuses)));
    return aedes;
  }

  override publish(packet: PublishPacket, done: Done): void;
  override publish(packet: PublishPacket, client: Client, done: Done): void;
  override publish(packet: PublishPacket, ...[client, done]: [Client | Done, Done?]): void {
    if (!packet.topic.startsWith(nowhere)) return this.pass(packet, client, done);
    (typeof client === 'function' ? client : done)?.();
  }

  private pass(packet: PublishPacket, ...rest: [Client | Done, Done?]): void {
    // The types know the form without a client only.
    super.publish(packet, ...(rest as unknown as [Done]));
  }
}

type Done = (error?: Error) => void;

/** A gateway subscribes below its own prefix only, so the pattern says whose status it may match. */
function statusFor(pattern: string, statuses: ReadonlyMap<string, PublishPacket>): PublishPacket[] {
  const gateway = pattern.split('/')[gatewayLevel];
  const topic = topics.status(gateway);
  const prefix = topics.prefix(gateway);
  const matches = pattern === topic || pattern === `${prefix}#` || pattern === `${prefix}+`;
  const status = matches ? statuses.get(topic) : undefined;
  return status ? [status] : [];
}
