import { streamKinds, type TextLines } from '@fleetlog/shared/batch';
import type { CanFrames } from '@fleetlog/shared/can';
import type { Formatter } from './formatter.js';
import { FrameFields } from './frame-fields.js';
import { dataText, hex } from './frame-text.js';
import { IsoWriter } from './iso-time.js';
import type { StreamRef } from './merge-streams.js';
import { base64, eventJson, samplesJson, textOf, withoutLineEnd } from './record-json.js';
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
  private readonly frame = new FrameFields();

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
      text += `${this.head}${time}",${this.fields(records, i)}${mark}}\n`;
    }
    return Buffer.from(text);
  }

  /** The fields of a record behind its time, as JSON without braces. */
  private fields(records: Records, index: number): string {
    switch (records.kind) {
      case 'can':
        this.frame.read(records.columns, index);
        return frameFields(this.frame, records.columns, index);
      case 'lines':
        return lineFields(records.columns, index);
      case 'samples':
        return `"values":${samplesJson(records.columns, index)}`;
      case 'events':
        return eventJson(records.columns.events[index]).slice(1, -1);
    }
  }
}

function frameFields(frame: FrameFields, frames: CanFrames, index: number): string {
  const { bus, id, isLong, type, isFd, dlc, direction } = frame;
  let text = `"bus":${JSON.stringify(bus)},"id":"${hex(id, isLong ? 8 : 3)}","data":"${dataText(frames, index)}"`;
  if (type === 'error') text += ',"error":true';
  if (type === 'remote') text += `,"remote":true,"dlc":${dlc}`;
  else if (isFd) text += ',"fd":true';
  else if (dlc > 8) text += `,"dlc":${dlc}`;
  if (frame.brs) text += ',"brs":true';
  if (frame.esi) text += ',"esi":true';
  if (direction) text += `,"direction":"${direction}"`;
  return text;
}

function lineFields(lines: TextLines, index: number): string {
  const bytes = withoutLineEnd(lines.line(index));
  const text = textOf(bytes);
  return text === undefined ? `"base64":"${base64(bytes)}"` : `"text":${JSON.stringify(text)}`;
}
