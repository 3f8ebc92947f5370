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
  fdLengthByDlc,
} from '@fleetlog/shared/can';
import { FleetlogError } from '@fleetlog/shared/errors';
import { dayNumber, dottedDate } from './dates.js';
import type { FrameBatch, RecordingOut } from './out.js';
import type { ReadOptions } from './reader.js';
import type { Recording } from './recording.js';
import { DataFields, microseconds, readLines, wholeNumber } from './text.js';

/** Linux's error frames: class in the identifier, details in the data. */
const CAN_ERR_PROT = 0x08;
const CAN_ERR_CNT = 0x200;
const CAN_ERR_PROT_TX = 0x80;
const errorDataBytes = 8;

/** Which field holds what: columns of version 2, or those that the version always has. */
type Layout = Readonly<Partial<Record<'O' | 'T' | 'B' | 'I' | 'd' | 'L' | 'l' | 'D', number>>>;

const layouts: Readonly<Record<string, Layout>> = {
  '1.0': { O: 1, I: 2, L: 3, D: 4 },
  '1.1': { O: 1, d: 2, I: 3, L: 4, D: 5 },
  '1.2': { O: 1, B: 2, d: 3, I: 4, L: 5, D: 6 },
  '1.3': { O: 1, B: 2, d: 3, I: 4, L: 6, D: 7 },
};

/** Bits of FRAME_… by type in version 2. */
const fdTypes: Readonly<Record<string, number>> = {
  FD: FRAME_FD,
  FB: FRAME_FD | FRAME_BRS,
  FE: FRAME_FD | FRAME_BRS | FRAME_ESI,
  BI: FRAME_FD | FRAME_ESI,
};

/** PEAK's trace, versions 1.0 to 2.1. Bus n is `can(n-1)`. Status lines are left out without a word. */
export function readTrc(recording: Recording, out: RecordingOut, options: ReadOptions): AsyncGenerator<void> {
  const parser = new TrcParser(out, options.zoneUs);
  return readLines(recording, out, (text) => parser.line(text.trim()));
}

class TrcParser {
  private readonly batch: FrameBatch;
  private readonly data = new DataFields();
  private layout: Layout = layouts['1.0'];
  private startUs = 0;

  constructor(
    out: RecordingOut,
    private readonly zoneUs: number,
  ) {
    this.batch = out.framesOf();
  }

  /** Returns what is wrong with the line, if anything. */
  line(text: string): string | undefined {
    if (text === '') return undefined;
    if (text.startsWith(';')) return this.head(text);
    const { layout } = this;
    const fields = text.split(/\s+/);
    const timeUs = this.startUs + microseconds(fields[layout.O!], 1000);
    if (Number.isNaN(timeUs)) return "it doesn't begin with a number and a time";
    const bus = `can${(wholeNumber(fields[layout.B ?? -1]) || 1) - 1}`;
    const directionText = fields[layout.d ?? -1];
    const type = layout.T === undefined ? typeIn1(fields, layout) : fields[layout.T];
    const direction = directionText === 'Tx' ? FRAME_TX : directionText === 'Rx' ? FRAME_RX : 0;
    if (type === 'ER') return this.errorFrame(timeUs, fields, bus);
    const isRemote = type === 'RR';
    const fd = fdTypes[type];
    if (!isRemote && type !== 'DT' && fd === undefined) return undefined; // status, counters, events
    const id = identifier(fields[layout.I!]);
    if (id === undefined) return `"${fields[layout.I!]}" isn't an identifier`;
    const dlc = wholeNumber(fields[layout.L ?? layout.l!]);
    const length = layout.L === undefined ? dlc : fd === undefined ? Math.min(dlc, 8) : fdLengthByDlc[dlc];
    if (!(length <= (fd === undefined ? 8 : 64))) return `"${fields[layout.L ?? layout.l!]}" isn't a length`;
    if (isRemote) {
      this.batch.add(timeUs, (id | CAN_RTR_FLAG) >>> 0, direction, dlc, bus, this.data.bytes, 0, 0);
      return undefined;
    }
    if (!this.data.read(fields, layout.D!, length)) return `there aren't ${length} bytes of data`;
    const code = fd === undefined ? dlc : fdDlcByLength[length];
    this.batch.add(timeUs, id, (fd ?? 0) | direction, code, bus, this.data.bytes, 0, length);
    return undefined;
  }

  private head(text: string): undefined {
    const [, key, value] = /^;\$(\w+)=(.*)$/.exec(text) ?? [];
    if (key === 'FILEVERSION') {
      if (value >= '3') throw new FleetlogError('FLEETLOG_USAGE', `Version ${value} of trc isn't known yet.`);
      this.layout = layouts[value] ?? this.layout;
    }
    if (key === 'STARTTIME') this.startUs = (dayNumber(value) ?? 0) - this.zoneUs;
    if (key === 'COLUMNS') {
      this.layout = Object.fromEntries(value.split(',').map((name, at) => [name.trim(), at]));
    }
    // Version 1.0 tells its start for people only.
    const started = /^;\s*Start time:(.*)$/i.exec(text);
    const startedUs = started && this.startUs === 0 ? dottedDate(started[1]) : undefined;
    if (startedUs !== undefined) this.startUs = startedUs - this.zoneUs;
  }

  /** The identifier tells the kind of error, the data where and how; see `errorText` of the export. */
  private errorFrame(timeUs: number, fields: readonly string[], bus: string): string | undefined {
    const { layout } = this;
    const kind = wholeNumber(fields[layout.I!], 16);
    const dlc = wholeNumber(fields[layout.L ?? layout.l!]);
    const at = layout.D! + (fields[layout.D!] === 'ERROR' ? 1 : 0);
    if (Number.isNaN(kind) || !this.data.read(fields, at, Math.min(dlc, 8))) return 'it tells no error';
    const [direction, place, received, sent] = this.data.bytes;
    const isSending = direction === 0;
    this.data.bytes.fill(0, 0, errorDataBytes);
    this.data.bytes.set([(kind & 7) | (isSending ? CAN_ERR_PROT_TX : 0), place], 2);
    this.data.bytes.set([sent, received], 6);
    const id = CAN_ERR_FLAG + CAN_ERR_PROT + CAN_ERR_CNT;
    this.batch.add(timeUs, id, 0, errorDataBytes, bus, this.data.bytes, 0, errorDataBytes);
    return undefined;
  }
}

/** Versions 1.x tell the type in several places. */
function typeIn1(fields: readonly string[], layout: Layout): string {
  const data = fields[layout.D!];
  const direction = fields[layout.d ?? -1] ?? 'Rx';
  if (data === 'ERROR' || direction === 'Error') return 'ER';
  if (fields[layout.I!] === 'FFFFFFFF' || !/^[RT]x$/.test(direction)) return 'ST';
  return data === 'RTR' ? 'RR' : 'DT';
}

function identifier(text: string | undefined): number | undefined {
  const id = wholeNumber(text, 16);
  const isLong = text !== undefined && text.length > 4;
  if (!(id <= (isLong ? 0x1fff_ffff : 0x7ff))) return undefined;
  return isLong ? id + CAN_EFF_FLAG : id;
}
