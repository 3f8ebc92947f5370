import type { Clock } from '@fleetlog/shared/util';
import { NmeaTime } from '../sources/nmea-time.js';
import type { TimeKeeper } from './time-keeper.js';

/** A sentence leaves the receiver after the second that it tells, and a serial line takes its time: so late at most. */
const lateUsMax = 500_000;
/** Samples that must agree before anything is believed, and that are looked at. */
const samplesMin = 5;
const samplesMax = 16;
/** Samples that are further apart don't agree. */
const spreadUsMax = 2_000_000;
/** RMC with status A: the receiver has a fix, so it has the time from the satellites, not from its own battery. */
const validRmc = /\$..RMC,[^,]*,A,/;

/**
 * The time that a GPS receiver's RMC sentences tell as they arrive. Of the last samples the one that was least late
 * counts; a receiver that tells something new must say so for some seconds.
 */
export class NmeaClock {
  private nmea = new NmeaTime();
  private readonly samplesUs: number[] = [];

  constructor(
    private readonly clock: Clock,
    private readonly keeper: TimeKeeper,
  ) {}

  /** Looks at the line `[start, end)`, which has just arrived. */
  see(bytes: Uint8Array, start: number, end: number): void {
    if (end - start > 128 || !validRmc.test(Buffer.from(bytes.subarray(start, end)).toString('latin1')))
      return;
    const { nmea, samplesUs } = this;
    const beforeUs = nmea.timeUs;
    nmea.see(bytes, start, end);
    if (nmea.timeUs === undefined || nmea.timeUs === beforeUs) return;
    const sampleUs = nmea.timeUs - this.clock.monotonicUs();
    const spreadUs = (): number => Math.max(...samplesUs) - Math.min(...samplesUs);
    samplesUs.push(sampleUs);
    if (samplesUs.length > samplesMax) samplesUs.shift();
    if (spreadUs() > spreadUsMax) samplesUs.splice(0, samplesUs.length - 1);
    if (samplesUs.length < samplesMin) return;
    this.keeper.refer('gps', Math.max(...samplesUs), lateUsMax + spreadUs());
  }
}
