import { CanFrames, decodeCanIds, encodeCan, type CanPayload, type FrameChoice } from '@fleetlog/shared/can';
import { FleetlogError } from '@fleetlog/shared/errors';
import { NumberReader, packNumbers, toSigned } from '../index/numbers.js';

/*
 * column = records rawBytes firstTime lastTime payload   ; numbers (index/numbers.ts), then can-1 to the end
 *
 * All frames of one identifier in a minute, by corrected time; of equal times in the order in which they were captured.
 * Which bus they came over isn't kept: no signal depends on it.
 */
export interface Column {
  /** `canid_t` */
  id: number;
  frames: CanPayload;
}

export function encodeColumn({ frames: { header, payload } }: Column): Uint8Array {
  const { recordCount, rawBytes, firstTimeUs, lastTimeUs } = header;
  const numbers = [recordCount, rawBytes, toSigned(firstTimeUs), lastTimeUs - firstTimeUs];
  return Buffer.concat([packNumbers(numbers), payload]);
}

export function decodeColumn(id: number, value: Uint8Array): Column {
  const input = new NumberReader(value);
  const [recordCount, rawBytes, firstTimeUs] = [input.next(), input.next(), input.signed()];
  const lastTimeUs = firstTimeUs + input.next();
  const header = { codec: 'can-1' as const, recordCount, rawBytes, firstTimeUs, lastTimeUs };
  return { id, frames: { header, payload: value.subarray(input.at) } };
}

/** Errors: those of `decodeCanIds`. */
export const framesOf = ({ frames }: Column, wants: FrameChoice, into: CanFrames): CanFrames =>
  decodeCanIds(frames, wants, into);

/** Of a minute; a bus that has more isn't one whose signals anybody asks for. */
const idsMax = 2048;
/** Of a minute's frames, in memory. */
const framesMax = 2 ** 21;
const dataBytesMax = 2 ** 25;

/** Gathers the frames of a minute by identifier. */
export class MinuteColumns {
  private readonly byId = new Map<number, CanFrames>();
  private frames = 0;
  private dataBytes = 0;

  /** Frames `[from, to)`, behind all that were added before. Errors: FLEETLOG_BATCH_LIMIT. */
  add(frames: CanFrames, from: number, to: number): void {
    const { id, flags, dlc, data, dataStart } = frames;
    this.frames += to - from;
    this.dataBytes += dataStart[to] - dataStart[from];
    if (this.frames > framesMax || this.dataBytes > dataBytesMax) throw tooMuch('frames');
    for (let i = from; i < to; i++) {
      let own = this.byId.get(id[i]);
      if (!own) {
        if (this.byId.size >= idsMax) throw tooMuch('identifiers');
        own = new CanFrames(64, 512);
        own.buses = [''];
        this.byId.set(id[i], own);
      }
      own.append(
        frames.timeUs(i),
        id[i],
        flags[i],
        dlc[i],
        0,
        data,
        dataStart[i],
        dataStart[i + 1] - dataStart[i],
      );
    }
  }

  /** One after the other, since each takes a while. Errors: FLEETLOG_BATCH_LIMIT. */
  *encoded(): Generator<Column> {
    for (const [id, frames] of this.byId) {
      const { payload, ...header } = encodeCan(frames);
      yield { id, frames: { header, payload } };
    }
  }
}

const tooMuch = (what: string): FleetlogError =>
  new FleetlogError('FLEETLOG_BATCH_LIMIT', `A minute has too many ${what} to be kept by identifier.`);
