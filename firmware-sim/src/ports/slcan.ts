import type { TakeFrame } from './port.js';

const CR = 13;
const BELL = '\x07';
const OK = '\r';
const COMMAND_BYTES_MAX = 64;
const TIME_WRAP_MS = 60_000;

export interface SlcanAdapterOptions {
  /** Commands that it refuses, by their first letter. Default none. */
  refuses?: string;
  /** Answers no command, as some firmware does. Default false. */
  isMute?: boolean;
  /** Gets the classic data frames that the host sends. Default: it takes none. */
  onFrame?: TakeFrame;
}

/**
 * A CAN adapter on a serial port that speaks Lawicel's protocol, with CANable's letters for CAN FD: takes commands, and
 * writes the frames that it hears while its channel is open.
 */
export class SlcanAdapter {
  /** Error flags, as the next `F` tells them; asking clears them. */
  status = 0;
  isOpen = false;
  /** What was asked of it, in order. */
  readonly commands: string[] = [];
  private stampsTime = false;
  private line = '';

  constructor(private readonly options: SlcanAdapterOptions = {}) {}

  /** Takes bytes of the host; returns what it answers. */
  take(bytes: Uint8Array): string {
    let answer = '';
    for (const byte of bytes) {
      if (byte !== CR) {
        if (this.line.length < COMMAND_BYTES_MAX) this.line += String.fromCharCode(byte);
        continue;
      }
      if (this.line !== '') answer += this.obey(this.line);
      this.line = '';
    }
    return this.options.isMute ? '' : answer;
  }

  /**
   * Text of the frames of whole `candump -L` lines, as heard `elapsedUs` after the adapter's start; empty while the
   * channel is closed.
   */
  hear(candump: string): string {
    if (!this.isOpen) return '';
    let text = '';
    for (const line of candump.split('\n')) {
      const match = /^\((\d+)\.(\d{6})\) \S+ ([0-9A-F]+)(##?)(.*)$/.exec(line);
      if (match) text += this.frame(match);
    }
    return text;
  }

  private frame([, seconds, micros, id, hash, body]: RegExpExecArray): string {
    const ms = (Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)) % TIME_WRAP_MS;
    const time = this.stampsTime ? ms.toString(16).toUpperCase().padStart(4, '0') : '';
    const isLong = id.length === 8;
    if (hash === '##') {
      const switches = (Number.parseInt(body[0], 16) & 1) === 1;
      const letter = switches ? 'b' : 'd';
      const data = body.slice(1);
      return `${isLong ? letter.toUpperCase() : letter}${id}${fdDlc(data.length / 2)}${data}${time}\r`;
    }
    if (body.startsWith('R')) return `${isLong ? 'R' : 'r'}${id}${body[1] ?? '0'}${time}\r`;
    return `${isLong ? 'T' : 't'}${id}${body.length / 2}${body}${time}\r`;
  }

  private obey(command: string): string {
    const [letter] = command;
    this.commands.push(command);
    if (this.options.refuses?.includes(letter)) return BELL;
    switch (letter) {
      case 'V':
        return `V1013${OK}`;
      case 'N':
        return `NSIM1${OK}`;
      case 'S':
      case 'Y':
        return this.isOpen ? BELL : OK;
      case 'Z':
        this.stampsTime = command === 'Z1';
        return OK;
      case 'O':
      case 'L':
        if (this.isOpen) return BELL;
        this.isOpen = true;
        return OK;
      case 'C':
        this.isOpen = false;
        return OK;
      case 'F':
        return this.isOpen ? `F${this.flags()}${OK}` : BELL;
      case 't':
      case 'T':
        return this.transmit(command);
      default:
        return BELL;
    }
  }

  /** `tIIILDD…` or `TIIIIIIIILDD…`: a data frame for the bus. */
  private transmit(command: string): string {
    const { onFrame } = this.options;
    const match = /^(?:t([0-7][0-9A-F]{2})|T([01][0-9A-F]{7}))([0-8])((?:[0-9A-F]{2})*)$/i.exec(command);
    if (!onFrame || !this.isOpen || !match) return BELL;
    const [, short, long, bytes, data] = match;
    if (data.length !== 2 * Number(bytes)) return BELL;
    onFrame(
      Number.parseInt(short ?? long, 16),
      short === undefined,
      Uint8Array.from(Buffer.from(data, 'hex')),
    );
    return short === undefined ? 'Z\r' : 'z\r';
  }

  private flags(): string {
    const text = this.status.toString(16).toUpperCase().padStart(2, '0');
    this.status = 0;
    return text;
  }
}

const fdLengths = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64];
const fdDlc = (length: number): string => fdLengths.indexOf(length).toString(16).toUpperCase();
