import {
  clockEventTypes,
  clockPointAttributes,
  type BatchClock,
  type ClockPoint,
} from '@fleetlog/shared/batch';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { ClockFacts } from '../buffer/clock-facts.js';
import type { GatewayEvents } from '../events/events.js';
import type { KernelClock } from './kernel-clock.js';
import type { KernelSync } from './kernel-sync.js';

/** Who can tell the time better than the system's wall clock alone. */
export type ReferenceName = 'ntp' | 'gps' | 'pps';

interface Reference {
  source: ReferenceName;
  /** True wall time = monotonic + this. */
  wallOffsetUs: number;
  /** At `atUs`; it grows with the drift since then. */
  uncertaintyUs: number;
  /** Monotonic. */
  atUs: number;
}

/** Offsets of clocks at one moment. */
type Reading = Omit<ClockPoint, 'monotonicUs'>;

const watchMs = 1000;
/** Smaller differences between two readings of the wall clock are noise of reading it. */
const stepUsMin = 10_000;
/** Before this the wall clock can't have been set: Fleetlog is younger. */
const plausibleUs = Date.UTC(2024, 0, 1) * 1000;
/** How fast a gateway's crystal may drift: three times what a bad one does. */
const driftPpm = 100;
/** What a time server over a mobile link is wrong by, at most. */
const ntpUncertaintyUs = 100_000;
/** While nothing happens, the next look at the same reference is told after so long. */
const referenceUs = 600e6;
/** A reference that agrees this well with what was told last isn't told again for hours. */
const agreesUs = 1000;
const agreedReferenceUs = 6 * 3600e6;

export interface TimeKeeperParts {
  clock: Clock;
  /** One life of the monotonic clock. */
  boot: string;
  kernel: KernelSync;
  /** Believed rather than `kernel`, where it answers. */
  kernelClock?: KernelClock | undefined;
  logger: Logger;
}

/**
 * Knows how the monotonic clock stands to the true time, as far as anything tells: the system's wall clock, which may
 * be set or step at any moment, what keeps that one right, and references such as GPS. What is stamped by the gateway
 * is stamped monotonic + `offsetUs`, which changes only when something better is known by more than its uncertainty; each
 * change, and what is needed to correct earlier stamps, goes into the gateway's events.
 */
export class TimeKeeper implements ClockFacts {
  readonly boot: string;
  /** Stamped time = monotonic + this. */
  offsetUs: number;
  /** The system's wall clock = monotonic + this, as last seen. */
  systemOffsetUs: number;
  private readonly references = new Map<ReferenceName, Reference>();
  private events: GatewayEvents | undefined;
  private told: ClockPoint | undefined;
  /** A comparison with a time server of before this step of the wall clock says nothing any more. */
  private lastSyncUs: number | undefined;
  private syncSpoilt = false;

  constructor(private readonly parts: TimeKeeperParts) {
    this.boot = parts.boot;
    this.systemOffsetUs = this.measure();
    this.offsetUs = this.systemOffsetUs;
    this.lookAtKernel(this.systemOffsetUs);
    this.settle();
  }

  /** How the clock that stamps stands now. */
  read(): BatchClock {
    return this.readingOf(this.offsetUs);
  }

  /** How times of this offset stand to what is known now. */
  readingOf(wallOffsetUs: number): BatchClock {
    const best = this.best();
    const { state } = best;
    if (best.uncertaintyUs < 0) return { wallOffsetUs, state, uncertaintyUs: -1 };
    const differenceUs = Math.abs(best.wallOffsetUs - wallOffsetUs);
    return { wallOffsetUs, state, uncertaintyUs: best.uncertaintyUs + differenceUs };
  }

  /** The time now, as good as it is known. */
  nowUs(): number {
    return this.parts.clock.monotonicUs() + this.offsetUs;
  }

  /**
   * A source of time says that monotonic + `wallOffsetUs` is true within the uncertainty. Call it as often as it says
   * so; the caller has seen to it that one absurd sentence doesn't get here.
   */
  refer(source: ReferenceName, wallOffsetUs: number, uncertaintyUs: number): void {
    this.references.set(source, {
      source,
      wallOffsetUs,
      uncertaintyUs,
      atUs: this.parts.clock.monotonicUs(),
    });
    this.settle();
  }

  /** Tells the events of this start, and watches the wall clock until the signal aborts. */
  async watch(events: GatewayEvents, signal: AbortSignal): Promise<void> {
    this.events = events;
    this.tell(clockEventTypes.start, this.best());
    while (!signal.aborted) {
      await this.parts.clock.sleep(watchMs, signal).catch(() => undefined); // the loop looks at the signal
      if (!signal.aborted) this.look();
    }
  }

  /** Looks at the wall clock and at what keeps it right. */
  look(): void {
    const offsetUs = this.measure();
    const stepUs = offsetUs - this.systemOffsetUs;
    if (Math.abs(stepUs) >= stepUsMin) {
      this.systemOffsetUs = offsetUs;
      this.syncSpoilt = true;
    }
    this.lookAtKernel(offsetUs);
    this.settle();
  }

  /** `offsetUs`: of the wall clock as it is now, which is slewed between steps. */
  private lookAtKernel(offsetUs: number): void {
    const { clock, kernelClock } = this.parts;
    const discipline = kernelClock?.read();
    if (!discipline) return this.lookForTimesync();
    if (!discipline.isSynced) return;
    const { uncertaintyUs } = discipline;
    this.references.set('ntp', {
      source: 'ntp',
      wallOffsetUs: offsetUs,
      uncertaintyUs,
      atUs: clock.monotonicUs(),
    });
  }

  private lookForTimesync(): void {
    const syncUs = this.parts.kernel.lastSyncUs();
    if (syncUs !== this.lastSyncUs) this.syncSpoilt = false;
    this.lastSyncUs = syncUs;
    if (syncUs === undefined || this.syncSpoilt) return;
    const nowUs = this.parts.clock.monotonicUs() + this.systemOffsetUs;
    const sinceUs = Math.max(0, nowUs - syncUs);
    this.references.set('ntp', {
      source: 'ntp',
      wallOffsetUs: this.systemOffsetUs,
      uncertaintyUs: ntpUncertaintyUs,
      atUs: this.parts.clock.monotonicUs() - sinceUs,
    });
  }

  /** Takes over what is known best, and tells of it. */
  private settle(): void {
    const best = this.best();
    const before = this.told;
    const stepUs = best.wallOffsetUs - this.offsetUs;
    if (Math.abs(stepUs) > Math.max(stepUsMin, best.uncertaintyUs)) {
      this.offsetUs = best.wallOffsetUs;
      this.parts.logger.warn(
        { stepUs, state: best.state, source: best.source },
        `The clock was ${before?.state === 'unset' && best.state !== 'unset' ? 'set' : 'stepped'} by ${(stepUs / 1e6).toFixed(3)} s (${best.source}).`,
      );
      this.tell(clockEventTypes.step, best, stepUs);
    } else if (before && before.state !== best.state) {
      this.tell(clockEventTypes.set, best);
    } else if (before && best.state === 'synced' && this.isDue(before, best)) {
      this.tell(clockEventTypes.reference, best);
    }
  }

  private isDue(before: ClockPoint, best: Reading): boolean {
    const passedUs = this.parts.clock.monotonicUs() - before.monotonicUs;
    const agrees = Math.abs(best.wallOffsetUs - before.wallOffsetUs) <= agreesUs;
    return passedUs >= (agrees ? agreedReferenceUs : referenceUs);
  }

  private tell(type: string, best: Reading, stepUs?: number): void {
    if (!this.events) return;
    this.told = { ...best, monotonicUs: this.parts.clock.monotonicUs() };
    this.events.note(type, { ...clockPointAttributes(this.told), ...(stepUs !== undefined && { stepUs }) });
  }

  /** The reference with the least uncertainty, else the wall clock as it is. */
  private best(): Reading {
    const nowUs = this.parts.clock.monotonicUs();
    let best: Reading | undefined;
    for (const { source, wallOffsetUs, uncertaintyUs, atUs } of this.references.values()) {
      const nowUncertainUs = Math.round(uncertaintyUs + ((nowUs - atUs) * driftPpm) / 1e6);
      if (best && best.uncertaintyUs <= nowUncertainUs) continue;
      best = { wallOffsetUs, uncertaintyUs: nowUncertainUs, state: 'synced', source };
    }
    if (best) return best;
    const isSet = nowUs + this.systemOffsetUs >= plausibleUs;
    return {
      wallOffsetUs: this.systemOffsetUs,
      state: isSet ? 'coarse' : 'unset',
      uncertaintyUs: -1,
      source: 'system',
    };
  }

  /** The process may lose the processor between two readings: the quickest of three counts. */
  private measure(): number {
    const { clock } = this.parts;
    let offsetUs = 0;
    let leastUs = Infinity;
    for (let i = 0; i < 3; i++) {
      const beforeUs = clock.monotonicUs();
      const wallUs = clock.nowUs();
      const tookUs = clock.monotonicUs() - beforeUs;
      if (tookUs >= leastUs) continue;
      leastUs = tookUs;
      offsetUs = wallUs - beforeUs;
    }
    return offsetUs;
  }
}
