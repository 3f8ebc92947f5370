/** A packet of u-blox's protocol. */
export function ubx(messageClass: number, message: number, payload: Uint8Array): Buffer {
  const packet = Buffer.alloc(payload.length + 8);
  packet.set([0xb5, 0x62, messageClass, message, payload.length & 0xff, payload.length >> 8]);
  packet.set(payload, 6);
  let a = 0;
  let b = 0;
  for (const byte of packet.subarray(2, -2)) {
    a = (a + byte) & 0xff;
    b = (b + a) & 0xff;
  }
  packet.set([a, b], payload.length + 6);
  return packet;
}

export interface Pvt {
  timeMs: number;
  /** Accuracy of the time, ns. */
  timeAccuracyNs?: number;
  nano?: number;
  latitude?: number;
  longitude?: number;
  fixType?: number;
  flags?: number;
  /** 7: date and time are certain. */
  valid?: number;
}

/** NAV-PVT of 92 bytes; what isn't given is a number that says where it came from. */
export function navPvt(pvt: Pvt): Buffer {
  const { timeMs, timeAccuracyNs = 25, nano = 0, latitude = 48.5, longitude = -123.25 } = pvt;
  const { fixType = 3, flags = 1, valid = 7 } = pvt;
  const payload = Buffer.alloc(92);
  const date = new Date(timeMs);
  payload.writeUInt32LE(timeMs % 604_800_000, 0);
  payload.writeUInt16LE(date.getUTCFullYear(), 4);
  payload.set(
    [
      date.getUTCMonth() + 1,
      date.getUTCDate(),
      date.getUTCHours(),
      date.getUTCMinutes(),
      date.getUTCSeconds(),
      valid,
    ],
    6,
  );
  payload.writeUInt32LE(timeAccuracyNs, 12);
  payload.writeInt32LE(nano, 16);
  payload.set([fixType, flags, 0, 17], 20);
  payload.writeInt32LE(Math.round(longitude * 1e7), 24);
  payload.writeInt32LE(Math.round(latitude * 1e7), 28);
  payload.writeInt32LE(32_000, 32);
  payload.writeInt32LE(36_500, 36);
  payload.writeUInt32LE(1250, 40);
  payload.writeUInt32LE(2500, 44);
  payload.writeInt32LE(-750, 56);
  payload.writeInt32LE(13_900, 60);
  payload.writeInt32LE(27_050_000, 64);
  payload.writeUInt32LE(120, 68);
  payload.writeUInt16LE(165, 76);
  return ubx(0x01, 0x07, payload);
}

/** Tells the packets of a chunk from the text between them, by the lengths that they state. */
export function cutPackets(bytes: Uint8Array): { packets: Uint8Array[]; text: string } {
  const packets: Uint8Array[] = [];
  let text = '';
  for (let at = 0; at < bytes.length;) {
    if (bytes[at] !== 0xb5) {
      text += String.fromCharCode(bytes[at++]);
      continue;
    }
    const end = at + 8 + bytes[at + 4] + 256 * bytes[at + 5];
    packets.push(bytes.subarray(at, end));
    at = end;
  }
  return { packets, text };
}
