import { FleetlogError } from '@fleetlog/shared/errors';
import type { Logger } from '@fleetlog/shared/log';
import type { Clock } from '@fleetlog/shared/util';
import type { TwoWayInput } from '../live-input.js';
import { bitrateDigits, type Bitrate } from './slcan-line.js';

const CR = 13;
const BELL = 7;
const frameLetters = 'tTrRdDbB';
const ANSWER_MS = 700;
/** Nothing said for so long after "close" means that nothing more of an earlier life is on its way. */
const QUIET_MS = 100;
const QUIET_MS_MAX = 3000;

export interface SlcanSettings {
  bitrate: Bitrate;
  /** Of the data of CAN FD frames; undefined: classic CAN. */
  dataBitrate: number | undefined;
  /** Acknowledges nothing and sends nothing. */
  listenOnly: boolean;
  timestamps: boolean;
}

export interface SlcanAdapter {
  version: string | undefined;
  serialNumber: string | undefined;
  timestamps: boolean;
}

/**
 * Opens an adapter's channel: a conversation of short commands, each answered by a line, or by BELL for "no". Some
 * adapters answer nothing at all; they are believed.
 */
export class SlcanSession {
  /** Bytes behind the last answer. */
  left: Buffer = Buffer.alloc(0);

  constructor(
    private readonly input: TwoWayInput,
    private readonly path: string,
    private readonly clock: Clock,
    private readonly logger: Logger,
    private readonly signal: AbortSignal,
  ) {}

  /** Errors: FLEETLOG_SOURCE. */
  async open(settings: SlcanSettings): Promise<SlcanAdapter> {
    const { bitrate, dataBitrate, listenOnly } = settings;
    await this.close();
    const version = await this.ask('V');
    const serialNumber = await this.ask('N');
    if ((await this.ask(`S${bitrateDigits[bitrate]}`)) === 'refused') {
      throw this.refused(`takes no bit rate of ${bitrate}; choose one that it knows`);
    }
    if (dataBitrate !== undefined && (await this.ask(`Y${dataBitrate / 1_000_000}`)) === 'refused') {
      throw this.refused('has no CAN FD; leave "dataBitrate" out');
    }
    const timestamps = settings.timestamps && (await this.ask('Z1')) !== 'refused';
    if (listenOnly) await this.openListening();
    else if ((await this.ask('O')) === 'refused')
      throw this.refused("can't open its channel; plug it out and in");
    return { version: said(version, 'V'), serialNumber: said(serialNumber, 'N'), timestamps };
  }

  /** Closes the channel, and waits until what it still says has passed. */
  async close(): Promise<void> {
    const { input, clock, signal } = this;
    await input.write(Buffer.from('\r\r\rC\r'));
    const startedUs = clock.monotonicUs();
    let quietUs = startedUs;
    while (!signal.aborted) {
      const nowUs = clock.monotonicUs();
      if (nowUs - quietUs >= QUIET_MS * 1000 || nowUs - startedUs >= QUIET_MS_MAX * 1000) return;
      await input.more(QUIET_MS, signal);
      if (input.read() !== null) quietUs = clock.monotonicUs();
    }
  }

  private async openListening(): Promise<void> {
    if ((await this.ask('L')) !== 'refused') return;
    // Others take the mode first.
    if ((await this.ask('M1')) !== 'refused' && (await this.ask('O')) !== 'refused') return;
    throw this.refused(
      'has no listen-only mode; set "listenOnly: false", and it acknowledges the frames that it hears',
    );
  }

  /** The answer's text, 'refused', or undefined where none came. What follows the answer is left for the reader. */
  private async ask(command: string): Promise<string | undefined> {
    const { input, clock, signal } = this;
    await input.write(Buffer.from(`${command}\r`));
    const untilUs = clock.monotonicUs() + ANSWER_MS * 1000;
    for (;;) {
      const answer = this.answer();
      if (answer !== undefined) return answer;
      const leftMs = (untilUs - clock.monotonicUs()) / 1000;
      if (signal.aborted || input.ended || leftMs <= 0) {
        this.logger.debug({ command }, `The adapter doesn't answer ${command}.`);
        return undefined;
      }
      await input.more(leftMs, signal);
      this.left = Buffer.concat([this.left, input.read() ?? Buffer.alloc(0)]);
    }
  }

  /** Takes an answer from what was read; a frame, which comes once the channel is open, isn't one. */
  private answer(): string | undefined {
    const { left } = this;
    const end = left.findIndex((byte) => byte === CR || byte === BELL);
    if (end < 0) return undefined;
    const text = left.subarray(0, end).toString('latin1');
    if (left[end] === CR && frameLetters.includes(text[0])) return '';
    this.left = left.subarray(end + 1);
    return left[end] === BELL ? 'refused' : text;
  }

  private refused(what: string): FleetlogError {
    return new FleetlogError('FLEETLOG_SOURCE', `The CAN adapter at ${this.path} ${what}.`);
  }
}

const said = (answer: string | undefined, letter: string): string | undefined =>
  answer?.startsWith(letter) ? answer.slice(1) : undefined;
