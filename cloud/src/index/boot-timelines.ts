import type { ClockPoint } from '@fleetlog/shared/batch';
import { prefixRange, type OrderedStore } from '@fleetlog/shared/store';
import type { Clock } from '@fleetlog/shared/util';
import { correctBoots, type CorrectedBoot } from '../time/boots.js';
import type { BootRecord } from './boot-record.js';
import { decodeJson } from './json-value.js';
import { bootPrefix, pointPrefix } from './keys.js';

const gatewaysMax = 1024;
/** Points of one boot that are looked at; one comes every ten minutes at most. */
const pointsMax = 16_384;
/** A boot that goes on makes timelines stale, which only matters to the boots around it. */
const staleUsMax = 2_000_000;

/** Boots of a gateway with their timelines, kept until something about them changes. Memory is bounded. */
export class BootTimelines {
  private readonly gateways = new Map<string, { boots: Promise<Map<string, CorrectedBoot>>; atUs: number }>();
  private readonly grown = new Set<string>();

  constructor(
    private readonly store: Pick<OrderedStore, 'entries'>,
    private readonly clock: Clock,
  ) {}

  /** After a write: `changed` where more than the length of a boot did. */
  touched(gateway: string, changed: boolean): void {
    if (changed) this.gateways.delete(gateway);
    else if (this.gateways.has(gateway)) this.grown.add(gateway);
  }

  /** By boot, in their order. */
  corrected(gateway: string): Promise<Map<string, CorrectedBoot>> {
    const known = this.gateways.get(gateway);
    const atUs = this.clock.monotonicUs();
    const isFresh = known && (!this.grown.has(gateway) || atUs - known.atUs < staleUsMax);
    if (isFresh) return known.boots;
    this.grown.delete(gateway);
    const boots = this.read(gateway);
    boots.catch(() => this.gateways.delete(gateway)); // whoever waits for it gets the error
    if (this.gateways.size >= gatewaysMax) this.gateways.clear();
    this.gateways.set(gateway, { boots, atUs });
    return boots;
  }

  private async read(gateway: string): Promise<Map<string, CorrectedBoot>> {
    const facts = [];
    for await (const { value } of this.store.entries(prefixRange(bootPrefix(gateway)))) {
      const record = decodeJson<BootRecord>(value);
      facts.push({ ...record, points: await this.points(gateway, record.boot) });
    }
    return new Map(correctBoots(facts).map((boot) => [boot.boot, boot]));
  }

  private async points(gateway: string, boot: string): Promise<ClockPoint[]> {
    const points: ClockPoint[] = [];
    const range = prefixRange(pointPrefix(gateway, boot));
    for await (const { value } of this.store.entries(range, { limit: pointsMax, prefetch: 256 })) {
      points.push(decodeJson<ClockPoint>(value));
    }
    return points;
  }
}
