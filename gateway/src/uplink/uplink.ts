import { isFleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import { topics } from '@fleetlog/shared/topics';
import { Signal, type Clock } from '@fleetlog/shared/util';
import type { GatewayBuffer } from '../buffer/buffer.js';
import { BackOff } from './back-off.js';
import type { Budget, BudgetReport } from './budget.js';
import type { TlsOptions } from './dial.js';
import type { Connect, Link } from './link.js';
import { LiveFirst, type BacklogOrder } from './schedule.js';
import { Session, silentCloud, type SessionOptions, type UplinkCounters } from './session.js';
import { StatusReporter } from './status.js';

export interface UplinkOptions extends SessionOptions {
  url: string;
  password: string | undefined;
  protocol: '3.1.1' | '5';
  tls: TlsOptions;
  keepAliveMs: number;
  connectTimeoutMs: number;
  /** Longest wait between two attempts to connect. */
  reconnectMsMax: number;
  backlog: SessionOptions['backlog'] & { order: BacklogOrder };
  /** Of this software, for the status message. */
  version: string;
}

export interface UplinkParts {
  buffer: GatewayBuffer;
  budget: Budget;
  connect: Connect;
  clock: Clock;
  /** Numbers in [0, 1), for the jitter of the back-off. */
  random: () => number;
  logger: Logger;
}

export interface UplinkState {
  connected: boolean;
  /** Why there is no connection. */
  trouble: string | undefined;
  inFlightBatches: number;
  inFlightBytes: number;
  /** What this month cost, on the wire. */
  budget: BudgetReport;
  counters: UplinkCounters;
}

/** A connection that ends sooner than this after it began was thrown out rather than cut off. */
const shortMs = 5000;
const shortLivesMax = 3;
/** Widest first wait: a fleet that lost its cloud for a moment comes back over this time. */
const reconnectMsMin = 3000;
const goodbyeMsMax = 1000;

/** Keeps a connection to the cloud and a session on it, from one to the next. */
export class Uplink {
  /** Set whenever the cloud acknowledged something. */
  readonly progress = new Signal();
  private readonly status: StatusReporter;
  private readonly backOff: BackOff;
  private readonly counters: UplinkCounters = {
    connects: 0,
    sentBatches: 0,
    sentBytes: 0,
    resentBatches: 0,
    acknowledgements: 0,
    foreignAcknowledgements: 0,
    malformedAcknowledgements: 0,
    refusedBatches: 0,
    brokerRefusals: 0,
    tooLargeBatches: 0,
  };
  private session: Session | undefined;
  private trouble: string | undefined = 'not connected yet';
  private shortLives = 0;
  private probe = false;

  constructor(
    private readonly options: UplinkOptions,
    private readonly parts: UplinkParts,
  ) {
    this.status = new StatusReporter(options.gateway, options.version, parts.buffer, parts.clock);
    this.backOff = new BackOff(parts.random, reconnectMsMin, options.reconnectMsMax);
  }

  get state(): UplinkState {
    const inFlight = this.session?.inFlight;
    return {
      connected: this.session !== undefined,
      trouble: this.trouble,
      inFlightBatches: inFlight?.batches ?? 0,
      inFlightBytes: inFlight?.bytes ?? 0,
      budget: this.parts.budget.report(),
      counters: { ...this.counters },
    };
  }

  /** Runs until the signal aborts; then says goodbye to the cloud within a second. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.parts;
    while (!signal.aborted) {
      await this.connectOnce(signal);
      if (!signal.aborted) await clock.sleep(this.backOff.nextMs(), signal).catch(() => undefined);
    }
  }

  private async connectOnce(signal: AbortSignal): Promise<void> {
    const { connect, logger } = this.parts;
    const { gateway, url, password, protocol, tls, keepAliveMs, connectTimeoutMs } = this.options;
    let receive: ((payload: Uint8Array) => void) | undefined;
    let link: Link;
    try {
      link = await connect(
        {
          url,
          clientId: `fleetlog-gw-${gateway}`,
          username: gateway,
          password,
          protocol,
          tls,
          meter: this.parts.budget,
          keepAliveMs,
          connectTimeoutMs,
          will: { topic: this.status.topic, payload: this.status.encode(false) },
          subscribeTo: topics.ack(gateway),
          onMessage: (payload) => receive?.(payload),
        },
        signal,
      );
    } catch (error) {
      if (signal.aborted) return;
      if (!isFleetlogError(error)) throw error;
      if (this.trouble !== error.message) logger.warn({ code: error.code }, `${error.message} Trying again.`);
      this.trouble = error.message;
      return;
    }
    const { buffer, clock } = this.parts;
    const { status, counters, progress } = this;
    const session = new Session(link, this.options, {
      probe: this.probe,
      budget: this.parts.budget,
      buffer,
      schedule: new LiveFirst(buffer.streams(), this.options.backlog.order, () => clock.monotonicUs() / 1000),
      status,
      counters,
      progress,
      clock,
      logger,
    });
    receive = (payload) => session.receive(payload);
    await this.live(link, session, signal);
  }

  private async live(link: Link, session: Session, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.parts;
    const startedUs = clock.monotonicUs();
    const acknowledgementsBefore = this.counters.acknowledgements;
    this.counters.connects++;
    this.session = session;
    this.trouble = undefined;
    this.status.connected();
    logger.info({ url: this.options.url }, 'Connected to the cloud.');
    try {
      const why = await session.run(signal);
      if (why === undefined) return await this.goodbye(link);
      this.probe = why === silentCloud;
      this.trouble = `the connection ended: ${why}`;
      logger.warn({ reason: why }, 'The connection to the cloud ended; connecting again.');
    } finally {
      this.session = undefined;
      link.drop('ended');
    }
    this.noticeTakeOver((clock.monotonicUs() - startedUs) / 1000);
    const useful = this.counters.acknowledgements > acknowledgementsBefore;
    if (this.shortLives === 0 || (useful && this.shortLives < shortLivesMax)) this.backOff.reset();
  }

  /** Two gateways with one id throw each other out, again and again. */
  private noticeTakeOver(livedMs: number): void {
    const { gateway } = this.options;
    this.shortLives = livedMs < shortMs ? this.shortLives + 1 : 0;
    if (this.shortLives < shortLivesMax) return;
    this.trouble = `most likely another gateway with the id "${gateway}" is connected; give each its own id`;
    if (this.shortLives === shortLivesMax) {
      this.parts.logger.error(
        { gateway, times: this.shortLives },
        `The connection ended ${this.shortLives} times right after it began: ${this.trouble}.`,
      );
    }
  }

  private async goodbye(link: Link): Promise<void> {
    const stop = new AbortController();
    const farewell = link
      .publish(this.status.topic, this.status.encode(false), { retain: true })
      .then(() => link.end())
      .catch(() => undefined);
    const late = this.parts.clock.sleep(goodbyeMsMax, stop.signal).catch(() => undefined);
    await Promise.race([farewell, late, link.closed]);
    stop.abort();
  }
}
