/*
 * A sensor stamps its packets with a counter of its own; the gateway sees when they arrive, late by what wires, drivers
 * and schedulers add. Arrival is never early, so the packets that waited least show the true relation of both clocks:
 * the fit keeps to the lower edge of the delays, block by block, and follows the sensor's crystal (some 10 ppm, which
 * temperature moves) over a minute.
 */

/** A block's packet that waited least is one point of the fit. */
const BLOCK_US = 1_000_000;
const BLOCKS = 64;
/** Crystals are better than this; a counter that runs at another pace is taken for another unit. */
const DRIFT_MAX = 0.01;
/** How fast the fitted time may be moved where the fit changes: a step would make two samples uneven. */
const SLEW_MAX = 0.0005;
/** In its first blocks, since the first packets say little. */
const FIRST_SLEW_MAX = 0.05;
const FIRST_BLOCKS = 3;
/** A counter this far from where it must be was set anew. */
const RESTART_US = 2_000_000;

/** Maps a counter that wraps to the gateway's monotonic time. All times in µs. */
export class DeviceClock {
  /** How often the counter was set anew. */
  restarts = 0;
  private hasBegun = false;
  private lastTicks = 0;
  /** Unwrapped counter since the start, µs by the sensor's reckoning. */
  private deviceUs = 0;
  /** Fitted: time = deviceUs * (1 + drift) + offset, which runs after `targetOffsetUs`. */
  private drift = 0;
  private offsetUs = 0;
  private targetOffsetUs = 0;
  private lastTimeUs = -Infinity;
  private readonly blockDeviceUs = new Float64Array(BLOCKS);
  private readonly blockDelayUs = new Float64Array(BLOCKS);
  private blocks = 0;
  private blockFromUs = 0;

  /** `tickUs`: what the counter counts; `wrap`: after so many ticks it starts at 0. */
  constructor(
    private readonly tickUs: number,
    private readonly wrap: number,
  ) {}

  /** Event time of a packet of this counter that arrived then; never before that of the packet before. */
  timeOf(ticks: number, arrivalUs: number): number {
    if (!this.hasBegun) this.begin(ticks, arrivalUs);
    const later = (ticks - this.lastTicks + this.wrap) % this.wrap;
    // A packet that is late by a few ticks has a counter behind the last one's, not a whole turn later.
    const steps = later > this.wrap / 2 && later * this.tickUs > RESTART_US ? later - this.wrap : later;
    this.lastTicks = ticks;
    const turnUs = this.wrap * this.tickUs;
    let deviceUs = this.deviceUs + steps * this.tickUs;
    let delayUs = this.delayOf(deviceUs, arrivalUs);
    // Whole turns may have gone by in silence.
    if (delayUs > turnUs / 2) {
      deviceUs += Math.round(delayUs / turnUs) * turnUs;
      delayUs = this.delayOf(deviceUs, arrivalUs);
    }
    if (Math.abs(delayUs) > RESTART_US) {
      this.restarts++;
      this.begin(ticks, arrivalUs);
      deviceUs = this.deviceUs;
    }
    const passedUs = Math.max(0, deviceUs - this.deviceUs);
    this.deviceUs = deviceUs;
    this.note(deviceUs, arrivalUs);
    const slewUs = (this.blocks > FIRST_BLOCKS ? SLEW_MAX : FIRST_SLEW_MAX) * passedUs;
    this.offsetUs += Math.max(-slewUs, Math.min(slewUs, this.targetOffsetUs - this.offsetUs));
    const timeUs = Math.round(deviceUs * (1 + this.drift) + this.offsetUs);
    return (this.lastTimeUs = Math.max(timeUs, this.lastTimeUs));
  }

  private begin(ticks: number, arrivalUs: number): void {
    this.hasBegun = true;
    this.lastTicks = ticks;
    this.deviceUs = 0;
    this.drift = 0;
    this.offsetUs = this.targetOffsetUs = arrivalUs;
    this.blocks = 0;
  }

  /** How much later than by the fit it arrived. */
  private delayOf(deviceUs: number, arrivalUs: number): number {
    return arrivalUs - deviceUs * (1 + this.drift) - this.targetOffsetUs;
  }

  private note(deviceUs: number, arrivalUs: number): void {
    const { blockDeviceUs, blockDelayUs } = this;
    const delayUs = arrivalUs - deviceUs;
    if (this.blocks === 0 || deviceUs - this.blockFromUs >= BLOCK_US) {
      if (this.blocks > 0) this.fit();
      if (this.blocks === BLOCKS) {
        blockDeviceUs.copyWithin(0, 1);
        blockDelayUs.copyWithin(0, 1);
        this.blocks--;
      }
      this.blockFromUs = deviceUs;
      blockDeviceUs[this.blocks] = deviceUs;
      blockDelayUs[this.blocks] = delayUs;
      this.blocks++;
    } else if (delayUs < blockDelayUs[this.blocks - 1]) {
      blockDeviceUs[this.blocks - 1] = deviceUs;
      blockDelayUs[this.blocks - 1] = delayUs;
    }
    // Nothing arrives before it is sent: an early one shows that the fit is too late.
    const earlyUs = -this.delayOf(deviceUs, arrivalUs);
    if (earlyUs > 0) this.targetOffsetUs -= earlyUs;
  }

  /** Theil and Sen's slope of the points, and the edge below them. */
  private fit(): void {
    const { blocks, blockDeviceUs, blockDelayUs } = this;
    const slopes: number[] = [];
    for (let i = 0; i < blocks; i++) {
      for (let j = i + 1; j < blocks; j++) {
        const distance = blockDeviceUs[j] - blockDeviceUs[i];
        // Neighbours tell of their jitter only.
        if (distance >= 4 * BLOCK_US) slopes.push((blockDelayUs[j] - blockDelayUs[i]) / distance);
      }
    }
    slopes.sort((a, b) => a - b);
    const slope = slopes.length > 0 ? slopes[slopes.length >> 1] : 0;
    const drift = Math.max(-DRIFT_MAX, Math.min(DRIFT_MAX, slope));
    let edge = Infinity;
    for (let i = 0; i < blocks; i++) edge = Math.min(edge, blockDelayUs[i] - blockDeviceUs[i] * drift);
    // Only the pace changes here; where it changes, time goes on from where it is.
    this.offsetUs += this.deviceUs * (this.drift - drift);
    this.drift = drift;
    this.targetOffsetUs = edge;
  }
}
