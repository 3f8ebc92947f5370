import { scaled, type ChannelSpec, type Samples } from '@fleetlog/shared/batch';
import type { CanFrames } from '@fleetlog/shared/can';
import { FleetlogError } from '@fleetlog/shared/errors';
import { csvText } from './csv-text.js';
import type { Formatter } from './formatter.js';
import { FrameFields } from './frame-fields.js';
import { dataText, hex } from './frame-text.js';
import { IsoWriter } from './iso-time.js';
import type { StreamRef } from './merge-streams.js';
import type { Records } from './records.js';

const frameColumns = 'time,bus,id,extended,type,brs,esi,direction,dlc,data';

/**
 * RFC 4180 with LF and a head line. Times are ISO 8601 in UTC with µs. With `told`, `gateway` and `stream` come first.
 *
 * - can: `time,bus,id,extended,type,brs,esi,direction,dlc,data`; `id` and `data` in hex, `extended`, `brs`, `esi` 0 or
 *   1, `type` data, remote, fd or error, `direction` rx, tx or empty, `dlc` as on the bus but for fd, where it is the
 *   number of bytes
 * - samples: `time` and the channels, in their units; errors: FLEETLOG_USAGE where the channels change on the way
 */
export class CsvFormatter implements Formatter {
  readonly kinds = ['can', 'samples'] as const;
  private readonly times = new IsoWriter();
  private head: string | undefined;
  private source: StreamRef | undefined;
  private origin = '';
  private readonly frame = new FrameFields();

  constructor(private readonly told: boolean) {}

  format(records: Records, from: number, to: number, source: StreamRef): Uint8Array {
    if (records.kind !== 'can' && records.kind !== 'samples') return new Uint8Array(0);
    const { baseTimeUs, timeOffsetUs } = records.columns;
    if (this.told && source !== this.source) {
      this.source = source;
      this.origin = `${source.gateway},${source.stream},`;
    }
    let text = this.headFor(records);
    for (let i = from; i < to; i++) {
      const time = this.times.text(baseTimeUs + timeOffsetUs[i]);
      text += `${this.origin}${time},${this.fields(records, i)}\n`;
    }
    return Buffer.from(text);
  }

  private fields(records: Extract<Records, { kind: 'can' | 'samples' }>, index: number): string {
    if (records.kind === 'samples') return sampleText(records.columns, index);
    this.frame.read(records.columns, index);
    return frameText(this.frame, records.columns, index);
  }

  private headFor(records: Records): string {
    const columns =
      records.kind === 'samples'
        ? `time,${records.columns.channels.map(({ name }) => csvText(name)).join(',')}\n`
        : `${frameColumns}\n`;
    const head = this.told ? `gateway,stream,${columns}` : columns;
    if (this.head === head) return '';
    if (this.head === undefined) return (this.head = head);
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      'The columns change in this range (other channels, or another kind), which csv has no place for; choose ndjson or a shorter range.',
    );
  }
}

function frameText(frame: FrameFields, frames: CanFrames, index: number): string {
  const { bus, id, isLong, type, brs, esi, direction = '', dlc } = frame;
  return (
    `${csvText(bus)},${hex(id, isLong ? 8 : 3)},${isLong ? 1 : 0},${type},${brs ? 1 : 0},${esi ? 1 : 0},` +
    `${direction},${dlc},${dataText(frames, index)}`
  );
}

const sampleText = (samples: Samples, index: number): string =>
  samples.channels.map((channel, i) => valueText(channel, samples.columns[i][index])).join(',');

/** Scaled ones without the dust of binary fractions; what isn't finite is empty. */
function valueText(channel: ChannelSpec, value: number | bigint): string {
  if (channel.scale === undefined && channel.offset === undefined) {
    return typeof value === 'bigint' || Number.isFinite(value) ? String(value) : '';
  }
  return String(Number(scaled(channel, Number(value)).toPrecision(12)));
}
