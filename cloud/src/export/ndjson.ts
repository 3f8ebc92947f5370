import {
  scaled,
  streamKinds,
  type ChannelSpec,
  type EventRecord,
  type Samples,
  type TextLines,
} from '@fleetlog/shared/batch';
import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CAN_SFF_MASK,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_RX,
  FRAME_TX,
  type CanFrames,
} from '@fleetlog/shared/can';
import type { Formatter } from './formatter.js';
import { dataText, hex } from './frame-text.js';
import { IsoWriter } from './iso-time.js';
import type { StreamRef } from './merge-streams.js';
import type { Records } from './records.js';

/**
 * One JSON object per record and line. Each has `time`, ISO 8601 in UTC with µs. By kind:
 *
 * - can: `bus`, `id` (hex, 3 digits, or 8 for 29-bit identifiers and error frames), `data` (hex), and where they hold
 *   `remote`, `error`, `fd`, `brs`, `esi` (true), `dlc` (remote frames; classic frames with a reserved code),
 *   `direction` (`rx`, `tx`)
 * - lines: `text` without its line end, or `base64` where it isn't UTF-8
 * - samples: one field per channel in `values`; 64-bit integers as numbers; what isn't finite as null
 * - events: `type`, `attributes`
 *
 * and, where nothing vouches for the time, `clock`: `unset` (it was never set in that boot) or `coarse` (somebody set it,
 * and no time server or satellite agreed)
 */
export class NdjsonFormatter implements Formatter {
  readonly kinds = streamKinds;
  private readonly times = new IsoWriter();
  private source: StreamRef | undefined;
  private head = '{"time":"';

  /** With `told`, each object has `gateway` and `stream` first. */
  constructor(private readonly told: boolean) {}

  format(records: Records, from: number, to: number, source: StreamRef): Uint8Array {
    if (this.told && source !== this.source) {
      this.source = source;
      const { gateway, stream } = source;
      this.head = `${JSON.stringify({ gateway, stream }).slice(0, -1)},"time":"`;
    }
    const { baseTimeUs, timeOffsetUs } = records.columns;
    const mark = records.doubt ? `,"clock":"${records.doubt}"` : '';
    let text = '';
    for (let i = from; i < to; i++) {
      const time = this.times.text(baseTimeUs + timeOffsetUs[i]);
      text += `${this.head}${time}",${fieldsOf(records, i)}${mark}}\n`;
    }
    return Buffer.from(text);
  }
}

/** The fields of a record behind its time, as JSON without braces. */
function fieldsOf(records: Records, index: number): string {
  switch (records.kind) {
    case 'can':
      return frameFields(records.columns, index);
    case 'lines':
      return lineFields(records.columns, index);
    case 'samples':
      return sampleFields(records.columns, index);
    case 'events':
      return eventFields(records.columns.events[index]);
  }
}

function frameFields(frames: CanFrames, index: number): string {
  const id = frames.id[index];
  const flags = frames.flags[index];
  const dlc = frames.dlc[index];
  const isLong = (id & (CAN_EFF_FLAG | CAN_ERR_FLAG)) !== 0;
  const number = isLong ? id & (CAN_ERR_FLAG | CAN_EFF_MASK) : id & CAN_SFF_MASK;
  const hexId = hex(number, isLong ? 8 : 3);
  let text = `"bus":${JSON.stringify(frames.buses[frames.bus[index]])},"id":"${hexId}","data":"`;
  text += `${dataText(frames, index)}"`;
  if (id & CAN_ERR_FLAG) text += ',"error":true';
  if (id & CAN_RTR_FLAG) text += `,"remote":true,"dlc":${dlc}`;
  else if (flags & FRAME_FD) text += ',"fd":true';
  else if (dlc > 8) text += `,"dlc":${dlc}`;
  if (flags & FRAME_FD && flags & FRAME_BRS) text += ',"brs":true';
  if (flags & FRAME_FD && flags & FRAME_ESI) text += ',"esi":true';
  if (flags & (FRAME_RX | FRAME_TX)) text += `,"direction":"${flags & FRAME_RX ? 'rx' : 'tx'}"`;
  return text;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function lineFields(lines: TextLines, index: number): string {
  const bytes = withoutLineEnd(lines.line(index));
  try {
    return `"text":${JSON.stringify(utf8.decode(bytes))}`;
  } catch {
    return `"base64":"${Buffer.from(bytes).toString('base64')}"`;
  }
}

export function withoutLineEnd(line: Uint8Array): Uint8Array {
  let end = line.length;
  if (line[end - 1] === 0x0a) end--;
  if (line[end - 1] === 0x0d) end--;
  return line.subarray(0, end);
}

function sampleFields(samples: Samples, index: number): string {
  const values = samples.channels.map((channel, i) => {
    const value = samples.columns[i][index];
    const text =
      typeof value === 'bigint' && !isScaled(channel) ? String(value) : numberText(channel, Number(value));
    return `${JSON.stringify(channel.name)}:${text}`;
  });
  return `"values":{${values.join(',')}}`;
}

const isScaled = ({ scale, offset }: ChannelSpec): boolean => scale !== undefined || offset !== undefined;

/** Scaled ones without the dust of binary fractions: 33.8, not 33.800000000000004. */
export const numberText = (channel: ChannelSpec, value: number): string =>
  JSON.stringify(isScaled(channel) ? Number(scaled(channel, value).toPrecision(12)) : value);

const eventFields = ({ type, attributes }: EventRecord): string =>
  `"type":${JSON.stringify(type)},"attributes":${JSON.stringify(attributes)}`;
