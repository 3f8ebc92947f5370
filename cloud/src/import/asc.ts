import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_RX,
  FRAME_TX,
  fdDlcByLength,
} from '@fleetlog/shared/can';
import { vectorDate } from './dates.js';
import type { FrameBatch, RecordingOut } from './out.js';
import type { ReadOptions } from './reader.js';
import type { Recording } from './recording.js';
import { DataFields, microseconds, readLines, wholeNumber } from './text.js';

/** Bits of the flags behind the data of a `CANFD` line. */
const flagRemote = 0x10;
const flagFd = 0x1000;
const errorDataBytes = 8;

/**
 * Vector's ASCII log: frames, remote frames, CAN FD and error frames of any channel, in hex or decimal, absolute or
 * relative times. Other lines (statistics, comments, other buses) are left out without a word. Channel n is `can(n-1)`.
 */
export function readAsc(recording: Recording, out: RecordingOut, options: ReadOptions): AsyncGenerator<void> {
  const parser = new AscParser(out, options.zoneUs);
  return readLines(recording, out, (text) => parser.line(text));
}

class AscParser {
  private readonly batch: FrameBatch;
  private readonly data = new DataFields();
  private startUs = 0;
  private radix = 16;
  private isRelative = false;
  private lastUs = 0;
  private hasFrames = false;

  constructor(
    out: RecordingOut,
    private readonly zoneUs: number,
  ) {
    this.batch = out.framesOf();
  }

  /** Returns what is wrong with the line, if anything. */
  line(text: string): string | undefined {
    const fields = text.trim().split(/\s+/);
    const offsetUs = microseconds(fields[0], 1e6);
    if (Number.isNaN(offsetUs)) return this.head(text);
    this.lastUs = this.isRelative ? this.lastUs + offsetUs : offsetUs;
    const isFd = fields[1] === 'CANFD';
    const channel = wholeNumber(fields[isFd ? 2 : 1]);
    if (!(channel >= 1 && channel <= 255)) return undefined; // statistics, another bus
    const bus = `can${channel - 1}`;
    const rest = fields.slice(isFd ? 3 : 2);
    if (rest.some((field) => field.toLowerCase() === 'errorframe')) return this.errorFrame(bus);
    return isFd ? this.fdFrame(bus, rest) : this.frame(bus, rest);
  }

  /** What stands before the frames; anything that isn't known is a comment. */
  private head(text: string): undefined {
    const date = /^\s*(?:date|Begin Triggerblock)\s+(.*)$/i.exec(text);
    if (date && !this.hasFrames) {
      const dateUs = vectorDate(Buffer.from(date[1], 'latin1').toString());
      if (dateUs !== undefined) this.startUs = dateUs - this.zoneUs;
    }
    const base = /^\s*base\s+(hex|dec)(?:\s+timestamps\s+(absolute|relative))?/i.exec(text);
    if (!base) return;
    this.radix = base[1].toLowerCase() === 'dec' ? 10 : 16;
    this.isRelative = base[2]?.toLowerCase() === 'relative';
  }

  private errorFrame(bus: string): undefined {
    this.data.bytes.fill(0, 0, errorDataBytes);
    this.add(CAN_ERR_FLAG, FRAME_RX, errorDataBytes, bus, errorDataBytes);
  }

  /** `300x Rx d 8 01 02 …`, `300 Tx r 8`. */
  private frame(bus: string, [idText, directionText, kind, dlcText, ...data]: string[]): string | undefined {
    const direction = directionOf(directionText);
    if (direction === undefined || (kind !== 'd' && kind !== 'r')) return undefined; // an event that is no frame
    const id = this.identifier(idText);
    if (id === undefined) return `"${idText}" isn't an identifier`;
    const dlc = dlcText === undefined && kind === 'r' ? 0 : wholeNumber(dlcText, this.radix);
    if (kind === 'r') {
      this.add((id | CAN_RTR_FLAG) >>> 0, direction, dlc <= 15 ? dlc : 0, bus, 0);
      return undefined;
    }
    if (!(dlc <= 15)) return `"${dlcText}" isn't a DLC`;
    const length = Math.min(dlc, 8);
    if (!this.data.read(data, 0, length, this.radix)) return `there aren't ${length} bytes of data`;
    this.add(id, direction, dlc, bus, length);
    return undefined;
  }

  /** `Rx 300 [name] brs esi dlc length 01 02 … duration bits flags …`. */
  private fdFrame(bus: string, fields: string[]): string | undefined {
    const direction = directionOf(fields[0]);
    const id = this.identifier(fields[1]);
    if (direction === undefined) return undefined;
    if (id === undefined) return `"${fields[1]}" isn't an identifier`;
    const at = /^[01]$/.test(fields[2]) && /^[01]$/.test(fields[3]) ? 2 : 3;
    const length = wholeNumber(fields[at + 3]);
    const dataAt = at + 4;
    if (!this.data.read(fields, dataAt, length, this.radix))
      return `there aren't ${fields[at + 3]} bytes of data`;
    const flagsField = wholeNumber(fields[dataAt + length + 2], 16);
    const dlc = wholeNumber(fields[at + 2], 16) & 15;
    if (length === 0 && (dlc > 0 || flagsField & flagRemote)) {
      this.add((id | CAN_RTR_FLAG) >>> 0, direction, dlc, bus, 0);
    } else if (length <= 8 && flagsField > 0 && !(flagsField & flagFd)) {
      this.add(id, direction, dlc, bus, length); // a classic frame on a bus that knows both
    } else {
      const bits = (fields[at] === '1' ? FRAME_BRS : 0) | (fields[at + 1] === '1' ? FRAME_ESI : 0);
      this.add(id, FRAME_FD | bits | direction, fdDlcByLength[length], bus, length);
    }
    return undefined;
  }

  private add(id: number, flags: number, dlc: number, bus: string, length: number): void {
    this.hasFrames = true;
    this.batch.add(this.startUs + this.lastUs, id, flags, dlc, bus, this.data.bytes, 0, length);
  }

  private identifier(text: string | undefined): number | undefined {
    const isLong = /x$/i.test(text ?? '');
    const id = wholeNumber(isLong ? text!.slice(0, -1) : text, this.radix);
    if (!(id <= (isLong ? 0x1fff_ffff : 0x7ff))) return undefined;
    return isLong ? id + CAN_EFF_FLAG : id;
  }
}

function directionOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^rx$/i.test(text)) return FRAME_RX;
  return /^tx(rq)?$/i.test(text) ? FRAME_TX : undefined;
}
