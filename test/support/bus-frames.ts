import assert from 'node:assert/strict';
import type { VehicleBus } from '#sim/vehicle/ecu/bus.js';

export interface BusFrame {
  /** Since the start. */
  timeUs: number;
  id: number;
  isExtended: boolean;
  /** Then `id` is the flag with the class of error. */
  isError: boolean;
  data: Uint8Array;
}

const ERROR_FRAME = 0x2000_0000;

/** What a bus says up to a moment. */
export function listen(bus: VehicleBus, startUs: number, untilUs: number): BusFrame[] {
  let text = '';
  for (let chunk = bus.next(untilUs); chunk.length > 0; chunk = bus.next(untilUs)) {
    text += Buffer.from(chunk).toString('latin1');
  }
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => {
      const match = /^\((\d{10})\.(\d{6})\) can0 ([0-9A-F]{3}|[0-9A-F]{8})#((?:[0-9A-F]{2})*)$/.exec(line);
      assert.ok(match, line);
      const id = parseInt(match[3], 16);
      return {
        timeUs: Number(match[1]) * 1e6 + Number(match[2]) - startUs,
        id,
        isExtended: match[3].length === 8 && id < ERROR_FRAME,
        isError: id >= ERROR_FRAME,
        data: Uint8Array.from(Buffer.from(match[4], 'hex')),
      };
    });
}
