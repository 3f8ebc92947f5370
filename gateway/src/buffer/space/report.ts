import type { Clock } from '@fleetlog/shared/util';
import type { GatewayEvents } from '../../events/events.js';
import type { GatewayBuffer } from '../buffer.js';
import type { SpaceState } from './keeper.js';

/** What `status` says of the buffer's space. */
export interface SpaceReport extends SpaceState {
  /** Bytes that sources gave lately, per second. */
  bytesPerSecond: number;
  /** Hours until something has to be given up if nothing is acknowledged meanwhile; absent where nothing comes in. */
  hoursLeft?: number;
}

const sampleMs = 5000;
/** Less comes from the gateway itself. */
const quietBytesPerSecond = 10;
/** Ten minutes: long enough for a bus that comes and goes, short enough to be the present. */
const samplesMax = 120;

/** Watches how fast the buffer would fill without the cloud, and notes when it is full. */
export class FillRate {
  private full: SpaceState['full'] = 'no';
  /** Monotonic ms and bytes put until then, oldest first. */
  private readonly samples: { ms: number; bytes: number }[] = [];

  constructor(
    private readonly buffer: GatewayBuffer,
    private readonly clock: Clock,
    private readonly events: GatewayEvents,
  ) {
    this.sample();
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.clock.sleep(sampleMs, signal).catch(() => undefined); // the loop looks at the signal
      this.sample();
      this.noteChange();
    }
  }

  report(): SpaceReport | undefined {
    const { spaceState } = this.buffer;
    if (!spaceState) return undefined;
    const now = this.now();
    const [then] = this.samples;
    const seconds = (now.ms - then.ms) / 1000;
    const bytesPerSecond = seconds > 0 ? (now.bytes - then.bytes) / seconds : 0;
    const hoursLeft =
      bytesPerSecond > quietBytesPerSecond ? spaceState.leftBytes / bytesPerSecond / 3600 : undefined;
    return { ...spaceState, bytesPerSecond, ...(hoursLeft !== undefined && { hoursLeft }) };
  }

  private noteChange(): void {
    const { full = 'no', diskBytes = 0, freeBytes = 0 } = this.buffer.spaceState ?? {};
    if (full === this.full) return;
    this.full = full;
    const records = this.buffer
      .streams()
      .reduce((sum, { givenUp, thinned }) => sum + givenUp.records + thinned.records, 0);
    const type = full === 'no' ? 'buffer.has-room' : 'buffer.full';
    this.events.note(type, { because: full, diskBytes, freeBytes, recordsGivenUp: records });
  }

  private sample(): void {
    this.samples.push(this.now());
    if (this.samples.length > samplesMax) this.samples.shift();
  }

  private now(): { ms: number; bytes: number } {
    const bytes = this.buffer.streams().reduce((sum, { bytesPut }) => sum + bytesPut, 0);
    return { ms: this.clock.monotonicUs() / 1000, bytes };
  }
}
