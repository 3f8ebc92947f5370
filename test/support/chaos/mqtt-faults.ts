import { generate, parser, type IPublishPacket, type Packet, type Parser } from 'mqtt-packet';
import type { Prng } from '#sim/vehicle/prng.js';

/** What goes wrong with MQTT messages, as probabilities; may be changed at any time. */
export interface MqttFaultRates {
  /** An acknowledgement of the cloud's log is lost. */
  dropAck: number;
  /** A batch is lost on its way; no network does that without a cut, but a broker may. */
  loseBatch: number;
  /** A batch comes a second time. */
  duplicate: number;
  /** A batch is held back while others overtake it. */
  reorder: number;
}

export interface MqttFaultCounts {
  acksDropped: number;
  batchesLost: number;
  duplicated: number;
  reordered: number;
}

const protocol = { protocolVersion: 4 };
const HOLD_MS_MAX = 150;

/**
 * What a bad network with a bad broker does to the messages of one connection: sits between gateway and broker, reads
 * MQTT 3.1.1 both ways, and loses, repeats and reorders. PUBACKs for repeats of its own stay here, so that the gateway
 * never sees a confirmation it didn't ask for.
 */
export class MqttFaults {
  private readonly fromGateway: Parser;
  private readonly fromBroker: Parser;
  /** Message ids that the gateway uses at the moment. */
  private readonly gatewayIds = new Set<number>();
  /** PUBACKs to swallow, by message id. */
  private readonly ownPubacks = new Map<number, number>();
  private readonly held = new Set<NodeJS.Timeout>();

  constructor(
    private readonly rates: Readonly<MqttFaultRates>,
    private readonly counts: MqttFaultCounts,
    private readonly prng: Prng,
    private readonly toBroker: (bytes: Uint8Array) => void,
    private readonly toGateway: (bytes: Uint8Array) => void,
  ) {
    this.fromGateway = parser(protocol);
    this.fromBroker = parser(protocol);
    this.fromGateway.on('packet', (packet) => this.up(packet));
    this.fromBroker.on('packet', (packet) => this.down(packet));
  }

  gatewaySays(bytes: Buffer): void {
    this.fromGateway.parse(bytes);
  }

  brokerSays(bytes: Buffer): void {
    this.fromBroker.parse(bytes);
  }

  close(): void {
    for (const timer of this.held) clearTimeout(timer);
  }

  private up(packet: Packet): void {
    if (packet.cmd !== 'publish' || packet.qos !== 1 || !/\/up\/[^/]+$/.test(packet.topic)) {
      if (packet.cmd === 'publish' && packet.messageId !== undefined) this.gatewayIds.add(packet.messageId);
      this.toBroker(generate(packet, protocol));
      return;
    }
    const { prng, rates, counts } = this;
    const id = packet.messageId ?? 0;
    this.gatewayIds.add(id);
    if (prng.chance(rates.loseBatch)) {
      counts.batchesLost++;
      return;
    }
    const twice = prng.chance(rates.duplicate);
    const late = prng.chance(rates.reorder);
    if (late) {
      counts.reordered++;
      this.later(() => this.toBroker(generate(packet, protocol)));
    } else {
      this.toBroker(generate(packet, protocol));
    }
    if (twice) {
      counts.duplicated++;
      const again = this.repeat(packet, id);
      if (prng.chance(0.5)) this.toBroker(again);
      else this.later(() => this.toBroker(again));
    }
  }

  /** A copy of a batch, as a client would send it again: marked as such, or under a message id of its own. */
  private repeat(packet: IPublishPacket, id: number): Uint8Array {
    let messageId = id;
    if (this.prng.chance(0.5)) while (this.isTaken(messageId)) messageId = 1 + this.prng.below(65_535);
    this.ownPubacks.set(messageId, (this.ownPubacks.get(messageId) ?? 0) + 1);
    return generate({ ...packet, messageId, dup: messageId === id }, protocol);
  }

  private isTaken(id: number): boolean {
    return this.gatewayIds.has(id) || this.ownPubacks.has(id);
  }

  private later(send: () => void): void {
    const timer = setTimeout(
      () => {
        this.held.delete(timer);
        send();
      },
      1 + this.prng.below(HOLD_MS_MAX),
    );
    this.held.add(timer);
  }

  private down(packet: Packet): void {
    if (packet.cmd === 'publish' && packet.topic.endsWith('/ack') && this.prng.chance(this.rates.dropAck)) {
      this.counts.acksDropped++;
      return;
    }
    if (packet.cmd === 'puback' && packet.messageId !== undefined && this.swallow(packet.messageId)) return;
    this.toGateway(generate(packet, protocol));
  }

  /** True where the PUBACK is for a repeat, and not also for the gateway's own message. */
  private swallow(id: number): boolean {
    if (this.gatewayIds.delete(id)) return false;
    const waiting = this.ownPubacks.get(id);
    if (waiting === undefined) return false;
    if (waiting > 1) this.ownPubacks.set(id, waiting - 1);
    else this.ownPubacks.delete(id);
    return true;
  }
}
