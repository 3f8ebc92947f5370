import type { UbxPacket } from './ubx-packet.js';

/** 6 January 1980, when GPS time began, s since 1970. */
const gpsStart = 315_964_800;
const weekSeconds = 604_800;
/** Time of week, week and leap seconds are all known. */
const allValid = 0x07;

/** UTC of NAV-TIMEGPS, s since 1970; NaN where the receiver doesn't know all of it. */
export function utcOfWeek(payload: DataView): number {
  if ((payload.getUint8(11) & allValid) !== allValid) return NaN;
  const ofWeek = payload.getUint32(0, true) / 1000 + payload.getInt32(4, true) / 1e9;
  return gpsStart + payload.getInt16(8, true) * weekSeconds + ofWeek - payload.getInt8(10);
}

/**
 * UTC written as year, month, day, hour, minute, second from `dateAt` on, with ns to add at `nanoAt`, s since 1970; NaN
 * where not all `validBits` of the byte at `validAt` are set.
 */
export const utcAt =
  (dateAt: number, nanoAt: number, validAt: number, validBits: number) =>
  (payload: DataView): number => {
    if ((payload.getUint8(validAt) & validBits) !== validBits) return NaN;
    const ms = Date.UTC(
      payload.getUint16(dateAt, true),
      payload.getUint8(dateAt + 2) - 1,
      payload.getUint8(dateAt + 3),
      payload.getUint8(dateAt + 4),
      payload.getUint8(dateAt + 5),
      payload.getUint8(dateAt + 6),
    );
    return ms / 1000 + payload.getInt32(nanoAt, true) / 1e9;
  };

/** Time that a receiver tells for certain. */
export interface ToldTime {
  /** µs since the Unix epoch. */
  timeUs: number;
  /** As the receiver estimates it; undefined where the packet doesn't say. */
  errorUs: number | undefined;
}

/** Date and time are known, and the whole seconds are certain (`fullyResolved`). */
const pvtCertain = 0x07;
const utcCertain = 0x04;
const pvtTime = utcAt(4, 16, 11, pvtCertain);
const utcTime = utcAt(12, 8, 19, utcCertain);
const hnrTime = utcAt(4, 12, 11, pvtCertain);

/** What NAV-PVT, NAV-TIMEUTC or HNR-PVT say that time it is; undefined where the packet is another, or the time isn't certain. */
export function timeOfPacket(packet: UbxPacket): ToldTime | undefined {
  if (packet.state !== 'right') return undefined;
  const { id, payload } = packet;
  let seconds = NaN;
  let errorNs: number | undefined;
  if (id === 0x0107 && payload.byteLength >= 84) {
    seconds = pvtTime(payload);
    errorNs = payload.getUint32(12, true);
  } else if (id === 0x0121 && payload.byteLength >= 20) {
    seconds = utcTime(payload);
    errorNs = payload.getUint32(4, true);
  } else if (id === 0x2800 && payload.byteLength >= 72) {
    seconds = hnrTime(payload);
  }
  if (Number.isNaN(seconds)) return undefined;
  return { timeUs: Math.round(seconds * 1e6), errorUs: errorNs === undefined ? undefined : errorNs / 1000 };
}
