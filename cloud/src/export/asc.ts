import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CAN_SFF_MASK,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_TX,
  fdDlcByLength,
  type CanFrames,
} from '@fleetlog/shared/can';
import { ChannelNumbers } from './channel-numbers.js';
import type { Formatter } from './formatter.js';
import { spacedDataText } from './frame-text.js';
import type { Records } from './records.js';

const channelsMax = 255;

/**
 * Vector's ASCII log. Times are seconds since the start in the head, which is the first frame's time cut to ms, in UTC
 * (the format has no field for a time zone). Interfaces become channel numbers; error frames keep their time and
 * channel, not their class and data, for which the format has no place.
 */
export class AscFormatter implements Formatter {
  readonly kinds = ['can'] as const;
  private readonly channels = new ChannelNumbers(channelsMax);
  private startUs: number | undefined;

  format({ kind, columns }: Records, from: number, to: number): Uint8Array {
    if (kind !== 'can') return new Uint8Array(0);
    let text = this.startUs === undefined ? this.begin(columns.timeUs(from)) : '';
    const channels = this.channels.of(columns);
    for (let i = from; i < to; i++) {
      const offsetUs = columns.timeUs(i) - this.startUs!;
      const seconds = Math.floor(offsetUs / 1e6);
      const micros = String(1_000_000 + offsetUs - seconds * 1e6).slice(1);
      text += `${String(seconds).padStart(4)}.${micros} ${frameText(columns, i, channels[columns.bus[i]])}\n`;
    }
    return Buffer.from(text, 'latin1');
  }

  end(): Uint8Array {
    const head = this.startUs === undefined ? this.begin(0) : '';
    return Buffer.from(`${head}End TriggerBlock\n`);
  }

  private begin(firstTimeUs: number): string {
    this.startUs = Math.floor(firstTimeUs / 1000) * 1000;
    const date = dateText(this.startUs);
    return (
      `date ${date}\nbase hex  timestamps absolute\ninternal events logged\n// Fleetlog; date in UTC\n` +
      `Begin Triggerblock ${date}\n   0.000000 Start of measurement\n`
    );
  }
}

function frameText(frames: CanFrames, index: number, channel: number): string {
  const id = frames.id[index];
  if (id & CAN_ERR_FLAG) return `${channel}  ErrorFrame`;
  const flags = frames.flags[index];
  const dlc = frames.dlc[index].toString(16);
  const direction = flags & FRAME_TX ? 'Tx' : 'Rx';
  const isLong = (id & CAN_EFF_FLAG) !== 0;
  const number = `${(isLong ? id & CAN_EFF_MASK : id & CAN_SFF_MASK).toString(16).toUpperCase()}${isLong ? 'x' : ''}`;
  if (flags & FRAME_FD) {
    const length = frames.dataStart[index + 1] - frames.dataStart[index];
    const brs = flags & FRAME_BRS ? 1 : 0;
    const esi = flags & FRAME_ESI ? 1 : 0;
    const bits = ((1 << 12) | (brs << 13) | (esi << 14)).toString(16);
    return (
      `CANFD ${String(channel).padStart(3)} ${direction}   ${number.padStart(8)} ${' '.repeat(33)} ${brs} ${esi} ` +
      `${fdDlcByLength[length].toString(16)} ${String(length).padStart(2)}${spacedDataText(frames, index)} ` +
      `       0    0 ${bits.padStart(8)}        0        0        0        0        0`
    );
  }
  const kind = id & CAN_RTR_FLAG ? 'r' : 'd';
  return `${channel}  ${number.padEnd(15)} ${direction}   ${kind} ${dlc}${spacedDataText(frames, index)}`;
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Thu Nov 05 10:00:00.123 2026`, whatever the language of the machine. */
function dateText(timeUs: number): string {
  const date = new Date(timeUs / 1000);
  const clock = date.toISOString().slice(11, 23);
  const day = String(date.getUTCDate()).padStart(2, '0');
  return `${days[date.getUTCDay()]} ${months[date.getUTCMonth()]} ${day} ${clock} ${date.getUTCFullYear()}`;
}
