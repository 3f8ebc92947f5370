import { FRAME_DATA_BYTES_MAX, FRAME_FD } from '@fleetlog/shared/can';
import type { Message } from '../dbc/model.js';
import { pgnOf } from '../decode/match.js';
import { FRAME_PAYLOAD } from './payloads.js';

/** How a message gets over the bus: in one frame, or cut by a transport protocol. */
export type Carrier = 'frame' | 'iso-tp' | 'j1939' | 'fast-packet' | 'obd';

const CLASSIC_BYTES_MAX = 8;
/** From here on parameter groups are those of NMEA 2000, of which the long ones are fast packets. */
const NMEA_2000_PGN = 0x1_ed00;

/** Parameter formats of ISO-TP's fixed addressing (ISO 15765-2, 10.3.3 and 10.3.5): to one and to all. */
const NORMAL_FIXED = [0xda, 0xdb];
const MIXED_FIXED = [0xce, 0xcd];

/**
 * Messages that are longer than a frame of their format are put together, where parts of them come: by ISO-TP where they
 * have 11 bits or the identifiers of its fixed addressing, as fast packets where they are parameter groups of NMEA 2000,
 * else by the transport protocol of J1939. What the database calls ISO-TP is that, however short it is.
 */
export function carrierOf(message: Message): Carrier {
  const { id, isExtended, format, length } = message;
  if (format === 'obd') return 'obd';
  if (isIsoTpFormat(message)) return 'iso-tp';
  const isFd = format === 'standard-fd' || format === 'extended-fd';
  if (length <= (isFd ? FRAME_DATA_BYTES_MAX : CLASSIC_BYTES_MAX)) return 'frame';
  if (!isExtended || hasFixedAddressing(message)) return 'iso-tp';
  return pgnOf(id) >= NMEA_2000_PGN ? 'fast-packet' : 'j1939';
}

/**
 * Whether all frames are parts of ISO-TP's messages, those of CAN FD too. A database that says no more than that a
 * message of 11 bits has 9 to 64 bytes may mean frames of CAN FD, so those are taken as they are.
 */
export function isIsoTpAlways(message: Message): boolean {
  const carrier = carrierOf(message);
  if (carrier !== 'iso-tp') return carrier === 'obd';
  return isIsoTpFormat(message) || hasFixedAddressing(message) || message.length > FRAME_DATA_BYTES_MAX;
}

/** Whether an address comes before what ISO-TP has in a frame: extended and mixed addressing. */
export const hasAddressByte = ({ id, isExtended, format }: Message): boolean =>
  format === 'iso-tp-address' ||
  (format !== 'iso-tp' && isExtended && MIXED_FIXED.includes((id >>> 16) & 0xff));

/** Bits of `flags` that tell whole messages from frames that are parts of them. */
export function flagsOf(message: Message): number {
  if (carrierOf(message) === 'frame') return 0;
  return isIsoTpAlways(message) ? FRAME_PAYLOAD : FRAME_FD;
}

const isIsoTpFormat = ({ format }: Message): boolean => format === 'iso-tp' || format === 'iso-tp-address';

const hasFixedAddressing = ({ id, isExtended }: Message): boolean =>
  isExtended && [...NORMAL_FIXED, ...MIXED_FIXED].includes((id >>> 16) & 0xff);

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
