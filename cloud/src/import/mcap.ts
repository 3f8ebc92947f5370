import { zstdDecompressSync } from 'node:zlib';
import { McapStreamReader } from '@mcap/core';
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
import { FleetlogError } from '@fleetlog/shared/errors';
import type { RecordingOut } from './out.js';
import type { Recording } from './recording.js';

const chunkBytesMax = 64 * 1024 * 1024;

/** A message of `fleetlog.CanFrame`. */
interface FrameMessage {
  bus: string;
  id: number;
  extended: boolean;
  type: 'data' | 'remote' | 'fd' | 'error';
  dlc: number;
  data: string;
  brs?: boolean;
  esi?: boolean;
  direction?: 'rx' | 'tx';
}

/** MCAP as the export writes it: frames and lines of any streams. Other channels are left out, and said to be. */
export async function* readMcap(recording: Recording, out: RecordingOut): AsyncGenerator<void> {
  const reader = new McapStreamReader({
    decompressHandlers: { zstd: (bytes) => zstdDecompressSync(bytes, { maxOutputLength: chunkBytesMax }) },
  });
  const schemas = new Map<number, string>();
  const channels = new Map<number, { stream: string; schema: string }>();
  let read = 0;
  try {
    for await (const chunk of recording.chunks()) {
      reader.append(chunk);
      for (let record = reader.nextRecord(); record; record = reader.nextRecord()) {
        if (record.type === 'Schema') schemas.set(record.id, record.name);
        if (record.type === 'Channel' && !channels.has(record.id)) {
          const stream = record.metadata.get('stream') ?? '';
          const schema = schemas.get(record.schemaId) ?? '';
          channels.set(record.id, { stream, schema });
          const isDerived = schema === 'foxglove.LocationFix'; // from lines that are in the file as well
          if (!isDerived && (!stream || !['fleetlog.CanFrame', 'fleetlog.Line'].includes(schema))) {
            out.problem(
              `topic ${record.topic}`,
              'is left out: it holds neither frames nor lines of an export',
            );
          }
        }
        if (record.type !== 'Message') continue;
        const channel = channels.get(record.channelId);
        if (!channel?.stream) continue;
        const text = Buffer.from(record.data).toString();
        const timeUs = Number(record.logTime / 1000n);
        if (channel.schema === 'fleetlog.CanFrame') {
          addFrame(out, channel.stream, timeUs, JSON.parse(text) as FrameMessage);
        } else if (channel.schema === 'fleetlog.Line') {
          const { text: line = '', end = '', base64 } = JSON.parse(text) as Record<string, string>;
          const bytes = base64 === undefined ? Buffer.from(line + end) : Buffer.from(base64, 'base64');
          out.linesOf(channel.stream).add(timeUs, bytes);
        }
      }
      read += chunk.length;
      yield;
    }
  } catch (cause) {
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `${recording.path} is damaged, or no MCAP, before byte ${read + 1}: ${cause instanceof Error ? cause.message : 'unknown'}.`,
      { cause },
    );
  }
}

function addFrame(out: RecordingOut, stream: string, timeUs: number, message: FrameMessage): void {
  const { bus, type, brs, esi, direction } = message;
  const data = Buffer.from(message.data, 'base64').subarray(0, 64);
  const isFd = type === 'fd';
  const id =
    message.id +
    (message.extended ? CAN_EFF_FLAG : 0) +
    (type === 'remote' ? CAN_RTR_FLAG : 0) +
    (type === 'error' ? CAN_ERR_FLAG : 0);
  const flags =
    (isFd ? FRAME_FD | (brs ? FRAME_BRS : 0) | (esi ? FRAME_ESI : 0) : 0) |
    (direction === 'rx' ? FRAME_RX : direction === 'tx' ? FRAME_TX : 0);
  const dlc = isFd ? fdDlcByLength[data.length] : message.dlc;
  out.framesOf(stream).add(timeUs, id >>> 0, flags, dlc, bus, data, 0, data.length);
}
