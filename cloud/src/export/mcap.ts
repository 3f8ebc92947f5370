import { streamKinds, type EventRecord, type Samples, type TextLines } from '@fleetlog/shared/batch';
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
import { McapFile, type McapChannel } from './mcap-file.js';
import type { StreamRef } from './merge-streams.js';
import { numberText, withoutLineEnd } from './ndjson.js';
import { Positions, type Position } from './positions.js';
import type { Records } from './records.js';

/** One channel of the file. */
interface OpenChannel {
  id: number;
  /** Next message's number. */
  sequence: number;
}

/** A stream of lines, which may be of a GPS receiver. */
interface Receiver {
  source: StreamRef;
  positions: Positions;
  channel: OpenChannel | undefined;
}

/**
 * MCAP: a channel `/gateway/stream` for each stream, its messages JSON with a schema by kind: `fleetlog.CanFrame`,
 * `fleetlog.Line`, `fleetlog.Samples` (a field for each channel, in its unit) and `fleetlog.Event`. Log time is the
 * event time. What GPS receivers tell is in a channel `/gateway/stream/fix` of `foxglove.LocationFix`, too.
 */
export class McapFormatter implements Formatter {
  readonly kinds = streamKinds;
  private readonly file = new McapFile();
  private readonly channels = new Map<string, OpenChannel>();
  private readonly receivers = new Map<string, Receiver>();

  async format(records: Records, from: number, to: number, source: StreamRef): Promise<Uint8Array> {
    await this.file.start();
    const channel = await this.channelOf(records, source);
    const { baseTimeUs, timeOffsetUs } = records.columns;
    for (let i = from; i < to; i++) {
      const json = messageText(records, i);
      await this.file.add(channel.id, channel.sequence++, baseTimeUs + timeOffsetUs[i], json);
    }
    if (records.kind === 'lines') await this.addFixes(source, records.columns, from, to);
    return this.file.take();
  }

  async end(): Promise<Uint8Array> {
    for (const receiver of this.receivers.values())
      await this.addPositions(receiver, receiver.positions.finish());
    await this.file.end();
    return this.file.take();
  }

  private async addFixes(source: StreamRef, lines: TextLines, from: number, to: number): Promise<void> {
    const key = `${source.gateway} ${source.stream}`;
    let receiver = this.receivers.get(key);
    if (!receiver)
      this.receivers.set(key, (receiver = { source, positions: new Positions(), channel: undefined }));
    await this.addPositions(receiver, receiver.positions.take(lines, from, to));
  }

  /** The channel is there as soon as there is a position. */
  private async addPositions(
    receiver: Receiver,
    positions: readonly (Position | undefined)[],
  ): Promise<void> {
    const { gateway, stream } = receiver.source;
    for (const position of positions) {
      if (!position) continue;
      receiver.channel ??= {
        id: await this.file.addChannel({
          topic: `/${gateway}/${stream}/fix`,
          metadata: { gateway, stream },
          schema: 'foxglove.LocationFix',
          properties: { properties: fixProperties },
        }),
        sequence: 0,
      };
      const { channel } = receiver;
      await this.file.add(channel.id, channel.sequence++, position.timeUs, fixText(position, stream));
    }
  }

  private async channelOf(records: Records, { gateway, stream }: StreamRef): Promise<OpenChannel> {
    const names = records.kind === 'samples' ? records.columns.channels.map(({ name }) => name).join() : '';
    const key = `${gateway} ${stream} ${records.kind} ${names}`;
    let channel = this.channels.get(key);
    if (!channel) {
      const metadata = { gateway, stream, kind: records.kind };
      const id = await this.file.addChannel({
        topic: `/${gateway}/${stream}`,
        metadata,
        ...schemaOf(records),
      });
      channel = { id, sequence: 0 };
      this.channels.set(key, channel);
    }
    return channel;
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

function messageText(records: Records, index: number): string {
  switch (records.kind) {
    case 'can':
      return frameText(records.columns, index);
    case 'lines':
      return lineText(records.columns, index);
    case 'samples':
      return sampleText(records.columns, index);
    case 'events':
      return eventText(records.columns.events[index]);
  }
}

function frameText(frames: CanFrames, index: number): string {
  const id = frames.id[index];
  const flags = frames.flags[index];
  const isLong = (id & (CAN_EFF_FLAG | CAN_ERR_FLAG)) !== 0;
  const number = isLong ? id & CAN_EFF_MASK : id & CAN_SFF_MASK;
  const isFd = (flags & FRAME_FD) !== 0;
  const type = id & CAN_ERR_FLAG ? 'error' : id & CAN_RTR_FLAG ? 'remote' : isFd ? 'fd' : 'data';
  const start = frames.dataStart[index];
  const data = Buffer.from(
    frames.data.buffer,
    frames.data.byteOffset + start,
    frames.dataStart[index + 1] - start,
  );
  let text =
    `{"bus":${JSON.stringify(frames.buses[frames.bus[index]])},"id":${number},"extended":${(id & CAN_EFF_FLAG) !== 0},` +
    `"type":"${type}","dlc":${isFd ? data.length : frames.dlc[index]},"data":"${data.toString('base64')}"`;
  if (isFd) text += `,"brs":${(flags & FRAME_BRS) !== 0},"esi":${(flags & FRAME_ESI) !== 0}`;
  if (flags & (FRAME_RX | FRAME_TX)) text += `,"direction":"${flags & FRAME_RX ? 'rx' : 'tx'}"`;
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

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function lineText(lines: TextLines, index: number): string {
  const whole = lines.line(index);
  const line = withoutLineEnd(whole);
  try {
    const end = Buffer.from(whole.subarray(line.length)).toString('latin1');
    return JSON.stringify({ text: utf8.decode(line), end });
  } catch {
    return JSON.stringify({ base64: Buffer.from(whole).toString('base64') });
  }
}

function sampleText(samples: Samples, index: number): string {
  const fields = samples.channels.map(
    (channel, i) =>
      `${JSON.stringify(channel.name)}:${numberText(channel, Number(samples.columns[i][index]))}`,
  );
  return `{${fields.join(',')}}`;
}

const eventText = ({ type, attributes }: EventRecord): string => JSON.stringify({ type, attributes });
