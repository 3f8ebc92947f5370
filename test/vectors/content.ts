import {
  decodeBatch,
  decodeEvents,
  decodeGap,
  decodeLines,
  decodeSamples,
  type BatchHeader,
  type GapDetails,
  type EventRecord,
  type ChannelSpec,
} from '@fleetlog/shared/batch';
import { decodeCan, type CandumpStyle } from '@fleetlog/shared/can';

/** What a vector's JSON says of a valid batch. Bytes are in hexadecimal. */
export interface VectorContent {
  header: BatchHeader;
  records: CanRecords | [timeUs: number, bytes: string][] | SampleRecords | EventRecord[] | GapDetails;
}

interface CanRecords {
  style: CandumpStyle;
  /** `id` is the `canid_t`, flags included; `flags` are the FRAME_ bits. */
  frames: { timeUs: number; bus: string; id: number; flags: number; dlc: number; data: string }[];
  /** Original text by index of the frame. */
  verbatim: [index: number, text: string][];
}

interface SampleRecords {
  channels: readonly ChannelSpec[];
  timesUs: number[];
  /** By channel, values little-endian. */
  columns: string[];
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Reads a batch with the product's decoders. */
export function contentOf(bytes: Uint8Array): VectorContent {
  const batch = decodeBatch(bytes);
  const { header } = batch;
  switch (header.codec) {
    case 'can-1': {
      const { count, style, buses, bus, id, flags, dlc, dataStart, data, verbatim, ...frames } =
        decodeCan(batch);
      return {
        header,
        records: {
          style,
          frames: Array.from({ length: count }, (_, i) => ({
            timeUs: frames.baseTimeUs + frames.timeOffsetUs[i],
            bus: buses[bus[i]],
            id: id[i],
            flags: flags[i],
            dlc: dlc[i],
            data: hex(data.subarray(dataStart[i], dataStart[i + 1])),
          })),
          verbatim: [...verbatim].map(([index, text]) => [index, hex(text)]),
        },
      };
    }
    case 'lines-1': {
      const lines = decodeLines(batch);
      const records = Array.from({ length: lines.count }, (_, i): [number, string] => [
        lines.timeUs(i),
        hex(lines.line(i)),
      ]);
      return { header, records };
    }
    case 'samples-1': {
      const samples = decodeSamples(batch);
      return {
        header,
        records: {
          channels: samples.channels,
          timesUs: Array.from({ length: samples.count }, (_, i) => samples.timeUs(i)),
          columns: samples.columns.map((column) => hex(new Uint8Array(column.buffer))),
        },
      };
    }
    case 'events-1':
      return { header, records: decodeEvents(batch) };
    case 'gap-1':
      return { header, records: decodeGap(batch) };
    default:
      throw new Error(`no vector of codec ${String(header.codec)}`);
  }
}
