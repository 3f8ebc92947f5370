import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CanFrames,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_RX,
  FRAME_TX,
  fdDlcByLength,
  fdLengthByDlc,
} from '@fleetlog/shared/can';
import { randomOf } from './generate-frames.js';

const startUs = 1_790_000_000_123_456;

/** Frames of every sort that buses have, on two interfaces, with directions: data, remote, FD, error; in order of time. */
export function mixedFrames(seed: number, count: number): CanFrames {
  const random = randomOf(seed);
  const below = (limit: number): number => Math.floor(limit * random());
  const frames = new CanFrames();
  const buses = [frames.busIndex('can0'), frames.busIndex('can1')];
  const data = new Uint8Array(64);
  let timeUs = startUs;
  for (let i = 0; i < count; i++) {
    for (let k = 0; k < data.length; k++) data[k] = below(256);
    const bus = buses[below(2)];
    const direction = random() < 0.5 ? FRAME_RX : FRAME_TX;
    const number = random() < 0.5 ? below(0x800) : (below(0x2000_0000) | CAN_EFF_FLAG) >>> 0;
    const sort = below(10);
    if (sort === 0) {
      frames.append(timeUs, (number | CAN_RTR_FLAG) >>> 0, direction, below(9), bus, data, 0, 0);
    } else if (sort === 1) {
      frames.append(timeUs, (CAN_ERR_FLAG | below(0x200)) >>> 0, FRAME_RX, 8, bus, data, 0, 8);
    } else if (sort < 5) {
      const length = fdLengthByDlc[1 + below(15)];
      const flags =
        FRAME_FD | direction | (random() < 0.5 ? FRAME_BRS : 0) | (random() < 0.5 ? FRAME_ESI : 0);
      frames.append(timeUs, number, flags, fdDlcByLength[length], bus, data, 0, length);
    } else {
      const length = below(9);
      frames.append(timeUs, number, direction, length, bus, data, 0, length);
    }
    timeUs += below(2000);
  }
  return frames;
}
