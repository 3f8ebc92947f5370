import { mayBeUbx, readUbx, timeOfPacket, type UbxPacket } from '@fleetlog/shared/gnss';
import type { Clock } from '@fleetlog/shared/util';
import { NmeaTime } from '../sources/nmea-time.js';
import { AgreeingSamples } from './agreeing-samples.js';
import { GpsdClock } from './gpsd-clock.js';
import type { TimeKeeper } from './time-keeper.js';

/** A report leaves the receiver after the second that it tells, and a serial line takes its time: so late at most. */
const lateUsMax = 500_000;
const sentenceBytesMax = 128;
/** RMC with status A: the receiver has a fix, so it has the time from the satellites, not from its own battery. */
const validRmc = /\$..RMC,[^,]*,A,/;
const braceOpen = 123;

/**
 * The time that a GPS receiver tells as its reports arrive: RMC sentences, NAV-PVT and NAV-TIMEUTC of u-blox; and the
 * pulses that gpsd reports. Of the last samples the one that was least late counts; a receiver that tells something new
 * must say so for some seconds.
 */
export class ReceiverClock {
  private readonly nmea = new NmeaTime();
  private readonly sentences = new AgreeingSamples();
  private readonly packets = new AgreeingSamples();
  private readonly gpsd: GpsdClock | undefined;

  /** `isLocalGpsd`: gpsd reads the same system clock, so that its pulses mean something here. */
  constructor(
    private readonly clock: Clock,
    private readonly keeper: TimeKeeper,
    { isLocalGpsd = false } = {},
  ) {
    if (isLocalGpsd) this.gpsd = new GpsdClock(clock, keeper);
  }

  /** Looks at the line, or packet, `[start, end)`, which has just arrived. */
  see(bytes: Uint8Array, start: number, end: number): void {
    if (bytes[start] === braceOpen) this.gpsd?.see(bytes, start, end);
    else if (mayBeUbx(bytes, start, end)) this.seePacket(readUbx(bytes, start, end));
    else if (end - start <= sentenceBytesMax) this.seeSentence(bytes, start, end);
  }

  private seePacket(packet: UbxPacket): void {
    const told = timeOfPacket(packet);
    if (told?.errorUs !== undefined) this.sample(this.packets, told.timeUs, told.errorUs);
  }

  private seeSentence(bytes: Uint8Array, start: number, end: number): void {
    if (!validRmc.test(Buffer.from(bytes.subarray(start, end)).toString('latin1'))) return;
    const beforeUs = this.nmea.timeUs;
    this.nmea.see(bytes, start, end);
    const { timeUs } = this.nmea;
    if (timeUs !== undefined && timeUs !== beforeUs) this.sample(this.sentences, timeUs, 0);
  }

  private sample(samples: AgreeingSamples, timeUs: number, errorUs: number): void {
    const agreed = samples.add(timeUs - this.clock.monotonicUs());
    if (agreed) this.keeper.refer('gps', agreed.largestUs, lateUsMax + agreed.spreadUs + errorUs);
  }
}
