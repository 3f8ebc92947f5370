import { DelayWindow } from './delay-window.js';
import { ByteRate, TimeShare } from './pace.js';
import type { Lane } from './schedule.js';
import type { Window } from './window.js';

export interface AdmissionOptions {
  /** Bytes a second of everything together; Infinity is no limit. */
  bytesPerSecond: number;
  /** Of batches older than the connection: bytes a second, and the part of the link from 0 to 1. */
  backlog: { bytesPerSecond: number; share: number };
}

/** A batch on its way, as it was when it was sent. */
export interface Sent {
  bytes: number;
  sentMs: number;
  /** Bytes confirmed before. */
  confirmedBytes: number;
  /** Whether with it all that may be was on its way. */
  limited: boolean;
}

/** What a publish costs besides its payload, about: topic, MQTT and TLS heads. */
const overheadBytes = 64;

/** Decides how much may be on its way, so that live batches never wait long behind others. */
export class Admission {
  private readonly delay: DelayWindow;
  private readonly rate: ByteRate;
  private readonly backlogRate: ByteRate;
  private readonly backlogShare: TimeShare;

  constructor(
    private readonly window: Window,
    { bytesPerSecond, backlog }: AdmissionOptions,
    windowBytes: number,
  ) {
    this.delay = new DelayWindow(windowBytes);
    this.rate = new ByteRate(bytesPerSecond);
    this.backlogRate = new ByteRate(backlog.bytesPerSecond);
    this.backlogShare = new TimeShare(backlog.share);
  }

  /** `nextBytes`: of the next batch of each lane where that is known, else 0. */
  open(nextBytes: Readonly<Record<Lane, number>>, nowMs: number): Record<Lane, boolean> {
    const { unconfirmedBytes } = this.window;
    const { bytes } = this.delay;
    // Live batches may exceed what the backlog leaves free, or its own queue would hold them up.
    const live =
      unconfirmedBytes < 2 * bytes &&
      this.rate.waitMs(nowMs) === 0 &&
      this.window.fits(nextBytes.live, 'live');
    const backlog =
      live &&
      unconfirmedBytes < bytes &&
      this.backlogWaitMs(nowMs) === 0 &&
      this.window.fits(nextBytes.backlog, 'backlog');
    return { live, backlog };
  }

  /** How long until a lane that a rate or share keeps closed opens; Infinity where none does. */
  waitMs(nowMs: number): number {
    const rateMs = this.rate.waitMs(nowMs);
    const backlogMs = this.backlogWaitMs(nowMs);
    const waits = [rateMs, backlogMs].filter((ms) => ms > 0);
    return Math.min(...waits, Infinity);
  }

  /** What it returns belongs to its confirmation. */
  sent(lane: Lane, bytes: number, nowMs: number): Sent {
    this.rate.spend(bytes + overheadBytes, nowMs);
    if (lane === 'backlog') this.backlogRate.spend(bytes + overheadBytes, nowMs);
    this.backlogShare.note(this.window.unconfirmedBacklog > 0, nowMs);
    const limited = this.window.unconfirmedBytes >= this.delay.bytes;
    return { bytes, sentMs: nowMs, confirmedBytes: this.delay.confirmedBytes, limited };
  }

  confirmed(sent: Sent, nowMs: number): void {
    const { bytes, sentMs, confirmedBytes, limited } = sent;
    this.delay.confirmed(bytes + overheadBytes, nowMs - sentMs, confirmedBytes, limited, nowMs);
    this.backlogShare.note(this.window.unconfirmedBacklog > 0, nowMs);
  }

  private backlogWaitMs(nowMs: number): number {
    return Math.max(this.backlogRate.waitMs(nowMs), this.backlogShare.waitMs(nowMs));
  }
}
