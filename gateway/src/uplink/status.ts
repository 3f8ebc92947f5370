import { encodeMessage, rescuingMax, topics, type GatewayStatus } from '@fleetlog/shared/topics';
import type { Clock } from '@fleetlog/shared/util';
import type { GatewayBuffer } from '../buffer/buffer.js';
import { isRescuedName } from '../buffer/integrity/rescued-names.js';
import type { Link } from './link.js';

/** Changes are published at most this often; where each byte counts, the second. */
const intervalMs = 5000;
const sparingIntervalMs = 900_000;

/** Publishes what the gateway says of itself: retained, at each connection, on change, and at the end. */
export class StatusReporter {
  private publishedMs = -Infinity;
  private published = '';

  constructor(
    private readonly gateway: string,
    private readonly version: string,
    private readonly buffer: GatewayBuffer,
    private readonly clock: Clock,
  ) {}

  get topic(): string {
    return topics.status(this.gateway);
  }

  encode(connected: boolean): Uint8Array {
    const status: GatewayStatus = {
      connected,
      epoch: this.buffer.epoch,
      version: this.version,
      timeUs: this.clock.nowUs(),
      ...this.facts(),
    };
    return encodeMessage(status);
  }

  /** A new connection: the next `publishChanges` publishes whatever is known. */
  connected(): void {
    this.publishedMs = -Infinity;
    this.published = '';
  }

  publishChanges(link: Link, sparing: boolean): void {
    const nowMs = this.clock.monotonicUs() / 1000;
    if (nowMs - this.publishedMs < (sparing ? sparingIntervalMs : intervalMs)) return;
    const facts = JSON.stringify(this.facts());
    if (facts === this.published) return;
    this.published = facts;
    this.publishedMs = nowMs;
    link.publish(this.topic, this.encode(true), { retain: true }).catch(() => undefined); // the next one says it all
  }

  private facts(): Pick<GatewayStatus, 'streams' | 'rescuing'> {
    const rescuing = this.buffer.earlierEpochs.slice(0, rescuingMax);
    return { streams: this.streams(), ...(rescuing.length > 0 && { rescuing }) };
  }

  private streams(): GatewayStatus['streams'] {
    const streams: GatewayStatus['streams'] = {};
    for (const { stream, kind, first, durableNext, bytes, refused } of this.buffer.streams()) {
      if (isRescuedName(stream)) continue; // of another epoch, which isn't announced again
      // Numbers that aren't durable yet may be given again after a power cut: they aren't announced.
      streams[stream] = { kind, first, next: durableNext, bytes, discarded: refused };
    }
    return streams;
  }
}
