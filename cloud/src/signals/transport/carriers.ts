import type { Message } from '../dbc/model.js';
import { pgnOf } from '../decode/match.js';

/** How a message gets over the bus: in one frame, or cut by a transport protocol. */
export type Carrier = 'frame' | 'iso-tp' | 'j1939' | 'fast-packet' | 'obd';

const CLASSIC_BYTES_MAX = 8;
/** From here on parameter groups are those of NMEA 2000, of which the long ones are fast packets. */
const NMEA_2000_PGN = 0x1_ed00;

/**
 * Messages of over 8 bytes that the database doesn't call CAN FD are put together of classic frames, where such come:
 * by ISO-TP where they have 11 bits or the identifiers of its fixed addressing (ISO 15765-2, 10.3.3), as fast packets
 * where they are parameter groups of NMEA 2000, else by the transport protocol of J1939. CAN FD frames are taken as they are in any case.
 */
export function carrierOf({ id, isExtended, format, length }: Message): Carrier {
  if (format === 'obd') return 'obd';
  if (length <= CLASSIC_BYTES_MAX || format === 'standard-fd' || format === 'extended-fd') return 'frame';
  if (isExtended && pgnOf(id) >= NMEA_2000_PGN) return 'fast-packet';
  const type = (id >>> 16) & 0xff;
  return isExtended && type !== 0xda && type !== 0xdb ? 'j1939' : 'iso-tp';
}

/**
 * Databases describe an ISO-TP message in one of two ways: from the service byte on, or with the low byte of the length
 * before it, as the frame has it. The second is told by a multiplexor that fills byte 1 while nothing is in byte 0.
 */
export function hasLengthByte({ signals }: Message): boolean {
  const firstBytes = signals.map(({ startBit }) => startBit >> 3);
  const isFree = !firstBytes.includes(0);
  return (
    isFree &&
    signals.some(
      ({ isMultiplexor, multiplexing, startBit, length }) =>
        isMultiplexor && !multiplexing && startBit >> 3 === 1 && length === 8,
    )
  );
}
