import { encodeGap, type EncodedPayload } from '@fleetlog/shared/batch';
import { CanFrames, encodeCan } from '@fleetlog/shared/can';
import type { BatchLimits } from '../../batch/limits.js';
import { DeviceClock } from '../serial/device-clock.js';
import { busStateOf, type BusState } from './bus-state.js';
import type { CanSocket } from './can-socket.js';
import type { KernelStamps } from './kernel-stamps.js';

export interface CaptureOptions {
  interfaceName: string;
  limits: BatchLimits;
}

/**
 * What a capture hands over; times are monotonic + `wallOffsetUs`. Records counted so far, and frames dropped by the
 * kernel since the socket was opened.
 */
export type CaptureNews =
  | { type: 'batch'; payload: EncodedPayload; wallOffsetUs: number; records: number }
  | { type: 'gap'; payload: EncodedPayload; wallOffsetUs: number; dropped: number }
  | { type: 'state'; state: BusState }
  | { type: 'clock'; clock: 'hardware' | 'kernel' };

/** Turns what a CAN socket receives into batches. Synchronous: it has a thread of its own. */
export class Capture {
  private readonly frames = new CanFrames();
  private records = 0;
  private dropped = 0;
  private state: BusState | undefined;
  private clock: 'hardware' | 'kernel' | undefined;
  private hardwareClock = new DeviceClock(1, Number.MAX_SAFE_INTEGER);
  /** When the batch began, monotonic ms. */
  private beganMs = 0;
  private lastTimeUs = 0;

  constructor(
    private readonly socket: CanSocket,
    private readonly options: CaptureOptions,
    private readonly stamps: KernelStamps,
    private readonly tell: (news: CaptureNews) => void,
    /** Sees the frames of each batch. */
    private readonly onFrames: (frames: CanFrames) => void = () => {},
  ) {}

  /** Takes what the last `receive` brought. */
  take(count: number, nowMs: number): void {
    const { socket, frames } = this;
    const { limits } = this.options;
    if (count > 0) this.stamps.look();
    if (this.stamps.changed) {
      this.seal();
      this.stamps.renew();
      this.hardwareClock = new DeviceClock(1, Number.MAX_SAFE_INTEGER);
    }
    for (let i = 0; i < count; i++) {
      socket.visit(i);
      if (socket.dropped !== this.dropped) this.noteDropped();
      const timeUs = this.timeOf();
      if (frames.count > 0 && Math.abs(timeUs - frames.baseTimeUs) > limits.spanUs) this.seal();
      if (frames.count === 0) {
        frames.busIndex(this.options.interfaceName);
        this.beganMs = nowMs;
      }
      socket.append(i, timeUs, 0, frames);
      this.lastTimeUs = timeUs;
      this.records++;
      const errorClass = socket.errorOf(i);
      if (errorClass !== 0) this.noteState(busStateOf(errorClass, socket.controllerOf(i)));
      if (frames.count >= limits.records || frames.dataBytes >= limits.bytes) this.seal();
    }
  }

  /** Seals a batch whose time is over. */
  sealDue(nowMs: number): void {
    if (this.frames.count > 0 && nowMs - this.beganMs >= this.options.limits.lingerMs) this.seal();
  }

  /** Hands over what is held, if anything. */
  seal(): void {
    const { frames } = this;
    if (frames.count === 0) return;
    this.onFrames(frames);
    const payload = encodeCan(frames);
    frames.clear();
    this.tell({ type: 'batch', payload, wallOffsetUs: this.stamps.offsetUs, records: this.records });
  }

  private timeOf(): number {
    const { hardwareUs } = this.socket;
    const timeUs = this.stamps.timeOf(this.socket.timeUs);
    const clock = hardwareUs < 0 ? 'kernel' : 'hardware';
    if (clock !== this.clock) {
      this.clock = clock;
      this.hardwareClock = new DeviceClock(1, Number.MAX_SAFE_INTEGER);
      this.tell({ type: 'clock', clock });
    }
    return hardwareUs < 0 ? timeUs : this.hardwareClock.timeOf(hardwareUs, timeUs);
  }

  /** The kernel tells with the first frame behind the hole. */
  private noteDropped(): void {
    const { socket } = this;
    const count = (socket.dropped - this.dropped) >>> 0;
    this.dropped = socket.dropped;
    this.seal();
    const timeUs = this.stamps.timeOf(socket.timeUs);
    const payload = encodeGap(
      { cause: 'source-dropped', detail: `the kernel dropped ${count} frames that nobody took in time` },
      {
        kind: 'can',
        recordCount: count,
        firstTimeUs: this.lastTimeUs === 0 ? timeUs : Math.min(this.lastTimeUs, timeUs),
        lastTimeUs: timeUs,
      },
    );
    this.tell({ type: 'gap', payload, wallOffsetUs: this.stamps.offsetUs, dropped: this.dropped });
  }

  private noteState(state: BusState | undefined): void {
    if (state === undefined || state === this.state) return;
    this.state = state;
    this.tell({ type: 'state', state });
  }
}
