import type { Logger } from '@fleetlog/shared/log';
import { decodeAck, topics, type Ack, type RefusedBatch } from '@fleetlog/shared/topics';
import { RangeSet, Signal, type Clock } from '@fleetlog/shared/util';
import type { GatewayBuffer } from '../buffer/buffer.js';
import type { Budget } from './budget.js';
import { originalName, rescuedName } from '../buffer/integrity/rescued-names.js';
import { Admission, type AdmissionOptions } from './admission.js';
import type { Link } from './link.js';
import type { Lane, Schedule, Turn } from './schedule.js';
import type { StatusReporter } from './status.js';
import { Window, type WindowLimits } from './window.js';

/** Counters of the uplink since the process started. */
export interface UplinkCounters {
  connects: number;
  sentBatches: number;
  sentBytes: number;
  /** Sent again because the cloud's acknowledgement didn't come in time. */
  resentBatches: number;
  acknowledgements: number;
  /** Acknowledgements for another life of this buffer, ignored. */
  foreignAcknowledgements: number;
  /** Messages that aren't acknowledgements, ignored. */
  malformedAcknowledgements: number;
  refusedBatches: number;
  /** Publishes that the broker refused; sent again later. */
  brokerRefusals: number;
  /** Not sent on a connection whose broker doesn't take packets of their size; they stay in the buffer. */
  tooLargeBatches: number;
}

export interface SessionOptions extends AdmissionOptions {
  gateway: string;
  window: WindowLimits;
  /** How long a batch that the broker took may stay unacknowledged before it is sent again. */
  ackTimeoutMs: number;
}

/** Topic, MQTT's heads, and some. */
const packetOverheadBytes = 256;

export interface SessionParts {
  /** Begin with one batch, since on the last connection nothing was acknowledged. */
  probe: boolean;
  buffer: GatewayBuffer;
  budget: Budget;
  schedule: Schedule;
  status: StatusReporter;
  counters: UplinkCounters;
  /** Set after each acknowledgement. */
  progress: Signal;
  clock: Clock;
  logger: Logger;
}

/** What an acknowledgement says of a stream, by its name in the buffer. */
interface StreamAck {
  stream: string;
  held: RangeSet;
  refused: RefusedBatch[];
}

/** Why a connection was ended on which the broker confirms and nothing is acknowledged. */
export const silentCloud =
  'the cloud acknowledges nothing: is it running, and may this gateway write at its broker?';
const ackTimeoutMsMax = 60_000;
const tickMsMax = 1000;

/**
 * What happens on one connection: sends durable batches within the window, trims by the cloud's acknowledgements, sends
 * again what isn't acknowledged in time, and finds out when the connection is only half there.
 */
export class Session {
  private readonly window: Window;
  private readonly admission: Admission;
  /** Bytes of the next batch of each lane, where it is known that the window had no room for it. */
  private readonly complained = new Set<'size' | 'refusal'>();
  private readonly nextBytes: Record<Lane, number> = { live: 0, backlog: 0 };
  private readonly wake = new Signal();
  /**
   * True where a time-out passed without an acknowledgement: one batch at a time then, so that a broker without a cloud
   * behind it doesn't cost a whole window again and again.
   */
  private probing: boolean;
  private month = '';
  private acks: Promise<void> = Promise.resolve();
  private ackTimeoutMs: number;
  /** Monotonic ms of the last acknowledgement, and of the last sign that the connection moves at all. */
  private ackMs = 0;
  private lifeMs = 0;
  private flushedBytes = 0;

  constructor(
    private readonly link: Link,
    private readonly options: SessionOptions,
    private readonly parts: SessionParts,
  ) {
    const { batches, bytes } = options.window;
    // One of those that the broker lets be under way is for the status.
    this.window = new Window({ batches: Math.min(batches, Math.max(1, link.receiveMax - 1)), bytes });
    this.probing = parts.probe;
    this.admission = new Admission(this.window, options, bytes);
    this.ackTimeoutMs = options.ackTimeoutMs;
  }

  get inFlight(): { batches: number; bytes: number } {
    return { batches: this.window.batches, bytes: this.window.bytes };
  }

  /** Works until the connection ends or the signal aborts. Returns why the connection ended; undefined at an abort. */
  async run(signal: AbortSignal): Promise<string | undefined> {
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const stopped = new Promise<undefined>((resolve) => {
      if (both.aborted) resolve(undefined);
      both.addEventListener('abort', () => resolve(undefined), { once: true });
    });
    const tasks = [this.send(both), this.follow(both), this.tick(both)].map((task) =>
      endsQuietly(task, both),
    );
    try {
      return await Promise.race([this.link.closed, stopped, ...tasks]);
    } finally {
      stop.abort();
      await Promise.all(tasks);
      await this.acks;
    }
  }

  /** Takes a message of the acknowledgement topic. */
  receive(payload: Uint8Array): void {
    const { counters, logger, buffer } = this.parts;
    let ack: Ack;
    let held: StreamAck[];
    try {
      ack = decodeAck(payload);
      const { epoch } = ack;
      held = Object.entries(ack.streams).map(([stream, entry]) => ({
        stream: epoch === buffer.epoch ? stream : rescuedName(stream, epoch),
        held: RangeSet.fromFlat(entry.held),
        refused: entry.refused ?? [],
      }));
    } catch (error) {
      counters.malformedAcknowledgements++;
      logger.warn(
        { error: String(error) },
        'A message on the acknowledgement topic makes no sense; ignored.',
      );
      return;
    }
    const known = new Set(buffer.streams().map(({ stream }) => stream));
    if (ack.epoch !== buffer.epoch && !held.some(({ stream }) => known.has(stream))) {
      counters.foreignAcknowledgements++;
      logger.info(
        { epoch: ack.epoch },
        "An acknowledgement for another life of this gateway's buffer; ignored.",
      );
      return;
    }
    this.acks = this.acks
      .then(() => this.apply(held))
      .catch((error: unknown) => {
        logger.error(
          { error: String(error) },
          "An acknowledgement couldn't be applied; the next one repeats it.",
        );
      });
  }

  private async apply(acks: StreamAck[]): Promise<void> {
    const { buffer, counters, progress, logger } = this.parts;
    counters.acknowledgements++;
    let released = 0;
    for (const { stream, held, refused } of acks) {
      await buffer.acknowledge(stream, held);
      released += this.window.release(stream, held);
      for (const { sequence, code, reason } of refused) {
        await buffer.refuse(stream, sequence, `${code}: ${reason}`);
        if (!this.window.remove(stream, sequence)) continue;
        released++;
        counters.refusedBatches++;
        logger.error({ stream, sequence, code }, `The cloud refused a batch, which is kept aside: ${reason}`);
      }
    }
    this.ackMs = this.lifeMs = this.nowMs();
    this.probing = false;
    if (released > 0) this.ackTimeoutMs = this.options.ackTimeoutMs;
    progress.set();
    this.wake.set();
  }

  private async send(signal: AbortSignal): Promise<void> {
    const { buffer, budget, schedule, clock } = this.parts;
    while (!signal.aborted) {
      const nowMs = this.nowMs();
      const streams = buffer.streams().filter(({ stream }) => budget.allows(stream));
      const turn = schedule.next(streams, this.openLanes(nowMs));
      if (turn !== undefined) {
        await this.take(turn);
        await this.link.drained(signal);
        continue;
      }
      const waitMs = this.admission.waitMs(nowMs);
      if (waitMs === Infinity) await this.wake.wait(signal);
      else await wakeOrSleep(this.wake, Math.max(1, waitMs), clock, signal);
    }
  }

  /** Sends what a turn gives, as far as there is room for it. */
  private async take({ lane, stream, sequence, end, limit }: Turn): Promise<void> {
    const { buffer, schedule } = this.parts;
    const batches = await buffer.read(stream, sequence, Math.max(1, Math.min(limit, this.window.free)));
    let next = sequence;
    /** What wasn't read isn't there any more: acknowledged, or unreadable. */
    const passTo = (to: number): void => {
      if (to > next) schedule.done(stream, next, to - 1);
      next = Math.max(next, to);
    };
    for (const batch of batches) {
      passTo(Math.min(batch.sequence, end));
      if (batch.sequence >= end) return;
      if (!this.window.has(stream, batch.sequence)) {
        this.nextBytes[lane] = batch.bytes.length;
        if (!this.openLanes(this.nowMs())[lane]) return;
        if (this.isTooLarge(stream, batch.bytes.length)) this.parts.counters.tooLargeBatches++;
        else this.publish(lane, stream, batch.sequence, batch.bytes);
      }
      this.nextBytes[lane] = 0;
      passTo(batch.lastSequence + 1);
    }
    if (batches.length === 0) passTo(end);
  }

  private openLanes(nowMs: number): Record<Lane, boolean> {
    if (this.probing && this.window.batches > 0) return { live: false, backlog: false };
    return this.admission.open(this.nextBytes, nowMs);
  }

  private isTooLarge(stream: string, bytes: number): boolean {
    const { packetBytesMax } = this.link;
    if (bytes + packetOverheadBytes <= packetBytesMax) return false;
    if (!this.complained.has('size')) {
      this.complained.add('size');
      this.parts.logger.error(
        { stream, bytes, packetBytesMax },
        `The broker takes packets of ${packetBytesMax} bytes, and batches of "${stream}" are larger: they stay in the ` +
          `buffer. Raise the broker's limit, or lower "streams.${stream}.batch.bytes".`,
      );
    }
    return true;
  }

  private refusedByBroker(error: Error): void {
    this.parts.counters.brokerRefusals++;
    if (this.complained.has('refusal')) return;
    this.complained.add('refusal');
    this.parts.logger.error(
      { error: error.message },
      `The broker refuses batches (${error.message}); check its access rules for this gateway. Sending again later.`,
    );
  }

  private publish(lane: Lane, stream: string, sequence: number, bytes: Uint8Array): void {
    const { counters } = this.parts;
    const sentMs = this.nowMs();
    if (this.window.batches === 0) this.ackMs = this.lifeMs = sentMs;
    this.window.add(lane, stream, sequence, bytes.length, sentMs);
    const sent = this.admission.sent(lane, bytes.length, sentMs);
    counters.sentBatches++;
    counters.sentBytes += bytes.length;
    this.link.count();
    const answered = (): void => {
      const nowMs = (this.lifeMs = this.nowMs());
      this.window.confirmed(stream, sequence, nowMs);
      this.admission.confirmed(sent, nowMs);
      this.wake.set();
    };
    this.link
      .publish(topics.up(this.options.gateway, originalName(stream)), bytes)
      .then(answered, (error: Error) => {
        if (!this.link.isOpen) return; // `closed` says why
        this.refusedByBroker(error);
        answered();
      });
  }

  private async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.parts.buffer.moreDurable(signal);
      this.wake.set();
    }
  }

  private async tick(signal: AbortSignal): Promise<void> {
    const { clock, status } = this.parts;
    while (!signal.aborted) {
      this.link.count();
      const { level, month } = this.parts.budget.report();
      if (month !== this.month) this.wake.set(); // a new month, a new budget
      this.month = month;
      status.publishChanges(this.link, level === 'used-up');
      await clock.sleep(Math.min(tickMsMax, this.options.ackTimeoutMs / 4), signal);
      this.sendAgainWhatIsLate();
      this.dropIfHalfOpen();
    }
  }

  private sendAgainWhatIsLate(): void {
    const { schedule, counters, logger } = this.parts;
    const late = this.window.expire(this.ackTimeoutMs, this.nowMs());
    if (late.length === 0) return;
    logger.warn(
      { batches: late.length, timeoutMs: this.ackTimeoutMs },
      "The cloud hasn't acknowledged in time; sending again.",
    );
    counters.resentBatches += late.length;
    this.probing = true;
    for (const { lane, stream, sequence } of late) schedule.again(lane, stream, sequence);
    this.ackTimeoutMs = Math.min(2 * this.ackTimeoutMs, Math.max(ackTimeoutMsMax, this.options.ackTimeoutMs));
    this.wake.set();
  }

  /**
   * A slow link still moves bytes or brings confirmations. One that owes a confirmation and on which nothing moves at
   * all is dead, whatever the operating system says. Where the broker confirms and the cloud never acknowledges, a new
   * connection may help as well.
   */
  private dropIfHalfOpen(): void {
    const nowMs = this.nowMs();
    if (this.link.flushedBytes !== this.flushedBytes) {
      this.flushedBytes = this.link.flushedBytes;
      this.lifeMs = nowMs;
    }
    if (this.window.batches === 0) return;
    const { ackTimeoutMs } = this.options;
    if (this.window.unconfirmed > 0 && nowMs - this.lifeMs > 2 * ackTimeoutMs) {
      this.link.drop('nothing moves on the connection');
    } else if (nowMs - this.ackMs > 6 * ackTimeoutMs) {
      this.link.drop(silentCloud);
    }
  }

  private nowMs(): number {
    return this.parts.clock.monotonicUs() / 1000;
  }
}

async function wakeOrSleep(wake: Signal, ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
  const timer = new AbortController();
  try {
    await Promise.race([
      wake.wait(signal),
      clock.sleep(ms, AbortSignal.any([signal, timer.signal])).catch(() => undefined),
    ]);
  } finally {
    timer.abort();
  }
}

/** A task that ends by the signal ended well. */
async function endsQuietly(task: Promise<void>, signal: AbortSignal): Promise<undefined> {
  try {
    await task;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
