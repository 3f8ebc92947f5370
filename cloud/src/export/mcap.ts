import { streamKinds, type TextLines } from '@fleetlog/shared/batch';
import { CAN_EFF_MASK, type CanFrames } from '@fleetlog/shared/can';
import type { Formatter } from './formatter.js';
import { FrameFields } from './frame-fields.js';
import { McapFile, type McapChannel } from './mcap-file.js';
import type { StreamRef } from './merge-streams.js';
import { Positions, type Position } from './positions.js';
import { base64, eventJson, samplesJson, textOf, withoutLineEnd } from './record-json.js';
import type { Records } from './records.js';

/** A stream of lines, which may be of a GPS receiver. */
interface Receiver {
  source: StreamRef;
  positions: Positions;
  channel: number | undefined;
}

/**
 * MCAP: a channel `/gateway/stream` for each stream, its messages JSON with a schema by kind: `fleetlog.CanFrame`,
 * `fleetlog.Line`, `fleetlog.Samples` (a field for each channel, in its unit) and `fleetlog.Event`. Log time is the
 * event time. What GPS receivers tell is in a channel `/gateway/stream/fix` of `foxglove.LocationFix`, too.
 */
export class McapFormatter implements Formatter {
  readonly kinds = streamKinds;
  private readonly channels = new Map<string, number>();
  private readonly receivers = new Map<string, Receiver>();
  private readonly frame = new FrameFields();

  constructor(private readonly file = new McapFile()) {}

  format(records: Records, from: number, to: number, source: StreamRef): Uint8Array {
    const channel = this.channelOf(records, source);
    const { baseTimeUs, timeOffsetUs } = records.columns;
    for (let i = from; i < to; i++) {
      this.file.add(channel, baseTimeUs + timeOffsetUs[i], this.messageText(records, i));
    }
    if (records.kind === 'lines') this.addFixes(source, records.columns, from, to);
    return this.file.take();
  }

  end(): Uint8Array {
    this.finishFixes();
    this.file.end();
    return this.file.take();
  }

  /** The positions that were still open, for whoever ends the file himself. */
  finishFixes(): void {
    for (const receiver of this.receivers.values()) this.addPositions(receiver, receiver.positions.finish());
  }

  private addFixes(source: StreamRef, lines: TextLines, from: number, to: number): void {
    const key = `${source.gateway} ${source.stream}`;
    let receiver = this.receivers.get(key);
    if (!receiver)
      this.receivers.set(key, (receiver = { source, positions: new Positions(), channel: undefined }));
    this.addPositions(receiver, receiver.positions.take(lines, from, to));
  }

  /** The channel is there as soon as there is a position. */
  private addPositions(receiver: Receiver, positions: readonly (Position | undefined)[]): void {
    const { gateway, stream } = receiver.source;
    for (const position of positions) {
      if (!position) continue;
      receiver.channel ??= this.file.addChannel({
        topic: `/${gateway}/${stream}/fix`,
        metadata: { gateway, stream },
        schema: 'foxglove.LocationFix',
        properties: { properties: fixProperties },
      });
      this.file.add(receiver.channel, position.timeUs, fixText(position, stream));
    }
  }

  private channelOf(records: Records, { gateway, stream }: StreamRef): number {
    const names = records.kind === 'samples' ? records.columns.channels.map(({ name }) => name).join() : '';
    const key = `${gateway} ${stream} ${records.kind} ${names}`;
    const known = this.channels.get(key);
    if (known !== undefined) return known;
    const metadata = { gateway, stream, kind: records.kind };
    const id = this.file.addChannel({ topic: `/${gateway}/${stream}`, metadata, ...schemaOf(records) });
    this.channels.set(key, id);
    return id;
  }

  private messageText(records: Records, index: number): string {
    switch (records.kind) {
      case 'can':
        this.frame.read(records.columns, index);
        return frameText(this.frame, records.columns, index);
      case 'lines':
        return lineText(records.columns, index);
      case 'samples':
        return samplesJson(records.columns, index);
      case 'events':
        return eventJson(records.columns.events[index]);
    }
  }
}

const string = { type: 'string' };
const bytes = { type: 'string', contentEncoding: 'base64' };
const boolean = { type: 'boolean' };
const integer = { type: 'integer' };

function schemaOf(records: Records): Pick<McapChannel, 'schema' | 'properties'> {
  switch (records.kind) {
    case 'can':
      return { schema: 'fleetlog.CanFrame', properties: { properties: frameProperties } };
    case 'lines':
      return {
        schema: 'fleetlog.Line',
        properties: { properties: { text: string, end: string, base64: bytes } },
      };
    case 'samples': {
      const fields = records.columns.channels.map(
        ({ name, unit }) => [name, { type: 'number', description: unit }] as const,
      );
      return { schema: 'fleetlog.Samples', properties: { properties: Object.fromEntries(fields) } };
    }
    case 'events':
      return {
        schema: 'fleetlog.Event',
        properties: { properties: { type: string, attributes: { type: 'object' } } },
      };
  }
}

const frameProperties = {
  bus: string,
  id: integer,
  extended: boolean,
  type: { type: 'string', enum: ['data', 'remote', 'fd', 'error'] },
  brs: boolean,
  esi: boolean,
  direction: { type: 'string', enum: ['rx', 'tx'] },
  dlc: integer,
  data: bytes,
};

function frameText(frame: FrameFields, frames: CanFrames, index: number): string {
  const { bus, type, isFd, direction } = frame;
  const start = frames.dataStart[index];
  const bytes = frames.dataStart[index + 1] - start;
  const data = Buffer.from(frames.data.buffer, frames.data.byteOffset + start, bytes).toString('base64');
  let text =
    `{"bus":${JSON.stringify(bus)},"id":${frame.id & CAN_EFF_MASK},"extended":${frame.isExtended},` +
    `"type":"${type}","dlc":${frame.dlc},"data":"${data}"`;
  if (isFd) text += `,"brs":${frame.brs},"esi":${frame.esi}`;
  if (direction) text += `,"direction":"${direction}"`;
  return `${text}}`;
}

const fixProperties = {
  timestamp: { type: 'object', title: 'time', properties: { sec: integer, nsec: integer } },
  frame_id: string,
  latitude: { type: 'number' },
  longitude: { type: 'number' },
  altitude: { type: 'number' },
  position_covariance: { type: 'array', items: { type: 'number' }, minItems: 9, maxItems: 9 },
  position_covariance_type: integer,
};

/** Foxglove's schema wants each field: an altitude that nobody tells is 0, covariances that nobody tells are unknown. */
function fixText(position: Position, stream: string): string {
  const { timeUs, latitude, longitude, altitude, horizontalError, verticalError } = position;
  const sec = Math.floor(timeUs / 1e6);
  const isKnown = !Number.isNaN(horizontalError);
  const flat = isKnown ? horizontalError ** 2 : 0;
  const up = Number.isNaN(verticalError) ? 0 : verticalError ** 2;
  return JSON.stringify({
    timestamp: { sec, nsec: (timeUs - sec * 1e6) * 1000 },
    frame_id: stream,
    latitude,
    longitude,
    altitude: Number.isNaN(altitude) ? 0 : altitude,
    position_covariance: [flat, 0, 0, 0, flat, 0, 0, 0, up],
    position_covariance_type: isKnown ? 1 : 0,
  });
}

function lineText(lines: TextLines, index: number): string {
  const whole = lines.line(index);
  const line = withoutLineEnd(whole);
  const text = textOf(line);
  if (text === undefined) return JSON.stringify({ base64: base64(whole) });
  return JSON.stringify({ text, end: Buffer.from(whole.subarray(line.length)).toString('latin1') });
}
