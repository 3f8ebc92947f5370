import type { Clock } from '@fleetlog/shared/util';
import { AgreeingSamples } from './agreeing-samples.js';
import type { TimeKeeper } from './time-keeper.js';

/** A pulse and the seconds that it was found to begin (gpsd_json(5), PPS and TOFF). */
interface Pulse {
  class?: unknown;
  real_sec?: unknown;
  real_nsec?: unknown;
  clock_sec?: unknown;
  clock_nsec?: unknown;
  precision?: unknown;
}

const lineBytesMax = 1024;
const isTimeReport = /"class":"(PPS|TOFF)"/;
/** Between two readings of clocks here, and a slewing clock between the pulse and now. */
const readingUs = 50;
/** Of a report that doesn't say how precise it is: a serial line's. */
const precisionDefault = -1;

/**
 * What gpsd says about the system's clock: at each pulse of the receiver (PPS), and at the first byte after it (TOFF),
 * what the system's clock showed and what time it truly was. The precision that it states is the uncertainty.
 */
export class GpsdClock {
  private readonly pulses = new AgreeingSamples();
  private readonly offsets = new AgreeingSamples();

  constructor(
    private readonly clock: Clock,
    private readonly keeper: TimeKeeper,
  ) {}

  /** Looks at the line `[start, end)`, which has just arrived. */
  see(bytes: Uint8Array, start: number, end: number): void {
    if (end - start > lineBytesMax) return;
    const text = Buffer.from(bytes.subarray(start, end)).toString('latin1');
    const kind = isTimeReport.exec(text)?.[1];
    if (kind === undefined) return;
    const pulse = parsed(text);
    const aheadUs = pulse ? differenceUs(pulse) : NaN;
    if (Number.isNaN(aheadUs)) return;
    const { clock, keeper } = this;
    const systemOffsetUs = clock.nowUs() - clock.monotonicUs();
    const samples = kind === 'PPS' ? this.pulses : this.offsets;
    const agreed = samples.add(systemOffsetUs + aheadUs);
    if (!agreed) return;
    const precision = typeof pulse?.precision === 'number' ? pulse.precision : precisionDefault;
    const uncertaintyUs = 2 ** precision * 1e6 + readingUs + agreed.spreadUs;
    keeper.refer(kind === 'PPS' ? 'pps' : 'gps', agreed.latestUs, uncertaintyUs);
  }
}

/** How much the system's clock was behind; NaN where the report is incomplete. */
function differenceUs({ real_sec, real_nsec, clock_sec, clock_nsec }: Pulse): number {
  if (![real_sec, real_nsec, clock_sec, clock_nsec].every((value) => typeof value === 'number')) return NaN;
  // Seconds first: their difference is exact in a double, and nanoseconds of the epoch aren't.
  const seconds = Number(real_sec) - Number(clock_sec);
  return seconds * 1e6 + (Number(real_nsec) - Number(clock_nsec)) / 1000;
}

function parsed(text: string): Pulse | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
