import { Drive } from './drive.js';
import { Prng } from './prng.js';
import { signalIndex as s } from './signals.js';

export interface ImuOptions {
  seed: number;
  /** Samples per second. */
  rateHz: number;
}

/** Packet: u32 time (µs of the sensor's clock), u16 counter, 12 channels as i16, u16 checksum; little-endian. */
export const IMU_PACKET_BYTES = 4 + 2 + 12 * 2 + 2;
/** The sensor's crystal: parts. */
const DRIFT = 23e-6;
const STANDARD_GRAVITY = 9.80665;
const ACCELERATION_PER_STEP = STANDARD_GRAVITY / 2048; // ±16 g
const TURN_PER_STEP = 1 / 16.4; // °/s; ±2000 °/s

/**
 * What an inertial sensor in the vehicle says on its serial line: packets in COBS framing, each with the sensor's own
 * time and a CRC-16/CCITT-FALSE. The same seed drives the same way as in `CanBus`. A pure function of the options.
 */
export class Imu {
  private readonly drive: Drive;
  private readonly prng: Prng;
  private readonly periodUs: number;
  private readonly clockStartUs: number;
  private count = 0;
  private readonly packet = new DataView(new ArrayBuffer(IMU_PACKET_BYTES));

  constructor({ seed, rateHz }: ImuOptions) {
    this.drive = new Drive(seed);
    this.prng = new Prng(seed, 4);
    this.periodUs = 1e6 / rateHz;
    this.clockStartUs = Math.floor(this.prng.unit() * 2 ** 32);
  }

  /** Bytes of all packets that were sent before `elapsedUs` after the start and not given yet. */
  next(elapsedUs: number): Uint8Array {
    const due = Math.max(0, Math.ceil(elapsedUs / this.periodUs) - this.count);
    const out = new Uint8Array(due * (IMU_PACKET_BYTES + 2));
    let at = 0;
    for (let i = 0; i < due; i++) at = this.write(out, at);
    return out.subarray(0, at);
  }

  private write(out: Uint8Array, at: number): number {
    const { packet, drive, prng } = this;
    const timeUs = this.count * this.periodUs;
    drive.advanceTo(timeUs);
    const timeS = timeUs / 1e6;
    const engineHz = drive.signals[s.engineSpeed] / 60;
    const shake = 0.4 * Math.sin(2 * Math.PI * 2 * engineHz * timeS);
    const noise = (size: number): number => size * prng.gauss();
    const channels = [
      (drive.signals[s.acceleration] + shake + noise(0.05)) / ACCELERATION_PER_STEP,
      (drive.signals[s.lateralAcceleration] + 0.5 * shake + noise(0.05)) / ACCELERATION_PER_STEP,
      (STANDARD_GRAVITY + shake + noise(0.08)) / ACCELERATION_PER_STEP,
      noise(0.1) / TURN_PER_STEP,
      noise(0.1) / TURN_PER_STEP,
      ((180 / Math.PI) * drive.signals[s.yawRate] + noise(0.1)) / TURN_PER_STEP,
      300 * Math.cos(drive.heading) + noise(2),
      300 * Math.sin(drive.heading) + noise(2),
      -450 + noise(2),
      100 * drive.signals[s.ambientTemperature] + noise(1),
      engineHz * 10 + noise(1),
      32_767 * Math.sin(2 * Math.PI * 5 * timeS),
    ];
    packet.setUint32(0, Math.round(this.clockStartUs + timeUs * (1 + DRIFT)) % 2 ** 32, true);
    packet.setUint16(4, this.count & 0xffff, true);
    channels.forEach((value, i) => packet.setInt16(6 + 2 * i, Math.round(value), true));
    const body = new Uint8Array(packet.buffer);
    packet.setUint16(IMU_PACKET_BYTES - 2, crc16(body.subarray(0, IMU_PACKET_BYTES - 2)), true);
    this.count++;
    return stuff(body, out, at);
  }
}

/** CRC-16/CCITT-FALSE. */
function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++)
      crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
  }
  return crc;
}

/** Consistent overhead byte stuffing of fewer than 254 bytes, with the 0 behind. */
function stuff(bytes: Uint8Array, out: Uint8Array, start: number): number {
  let codeAt = start;
  let at = start + 1;
  for (const byte of bytes) {
    if (byte === 0) {
      out[codeAt] = at - codeAt;
      codeAt = at++;
    } else {
      out[at++] = byte;
    }
  }
  out[codeAt] = at - codeAt;
  out[at] = 0;
  return at + 1;
}
