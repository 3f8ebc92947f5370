import {
  encodeEvents,
  encodeGap,
  encodeLines,
  encodeSamples,
  Samples,
  TextLines,
  type EncodedPayload,
} from '@fleetlog/shared/batch';
import {
  CAN_EFF_FLAG,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CanFrames,
  encodeCan,
  FRAME_BRS,
  FRAME_FD,
} from '@fleetlog/shared/can';

const baseUs = 1_790_000_000_000_000;

/** Frames of every sort that `can-1` knows, on two buses, periodic and not. */
function everySortOfFrame(): CanFrames {
  const frames = new CanFrames();
  frames.style = { decimals: 6, lowerCase: true, crlf: true, padded: false, trimmed: true };
  const data = Uint8Array.from({ length: 64 }, (_, i) => 255 - i);
  const first = frames.busIndex('can0');
  const second = frames.busIndex('vcan1');
  for (let i = 0; i < 60; i++) {
    data[0] = i;
    data[1] = (i * i) >> 4;
    const timeUs = baseUs + 10_000 * i + (i % 5);
    frames.append(timeUs, 0x123, 0, 8, first, data, 0, 8);
    if (i % 3 === 0) frames.append(timeUs + 17, (0x18fe_f100 | CAN_EFF_FLAG) >>> 0, 0, 3, second, data, 0, 3);
    if (i % 7 === 0) frames.append(timeUs + 17, 0x7ff, FRAME_FD | FRAME_BRS, 15, second, data, 0, 64);
  }
  frames.append(baseUs - 40, (0x55 | CAN_RTR_FLAG) >>> 0, 0, 4, first, data, 0, 0);
  frames.append(baseUs + 900_000, (0x0c | CAN_ERR_FLAG) >>> 0, 0, 8, first, data, 8, 8);
  frames.append(baseUs + 900_001, 0x321, 0, 0, second, data, 0, 0);
  frames.append(baseUs + 900_002, 0x321, FRAME_FD, 9, second, data, 0, 12);
  frames.verbatim.set(2, Buffer.from('(1790000000.000017) vcan1 18FEF100#00 FFFD\n'));
  return frames;
}

/** A payload of every codec, small enough to be mutated thousands of times, rich enough to reach every branch. */
export function corpus(): EncodedPayload[] {
  const lines = new TextLines();
  const samples = new Samples([
    { name: 'speed', unit: 'km/h', type: 'f32' },
    { name: 'odometer', unit: 'm', type: 'u64' },
    { name: 'gear', unit: '', type: 'i8' },
    { name: 'pressure', unit: 'kPa', type: 'u16' },
  ]);
  const [speed, odometer, gear, pressure] = samples.columns;
  for (let i = 0; i < 50; i++) {
    const text = Buffer.from(`$GPVTG,${i}.0,T,,M,${i * 3}.5,N*4${i % 10}${i % 4 === 0 ? '\r\n' : '\n'}`);
    lines.append(baseUs + 250_000 * i - 3 * (i % 2), text, 0, text.length);
    const at = samples.append(baseUs + 1000 * i);
    speed[at] = 30 * Math.sin(i / 9);
    odometer[at] = 2n ** 40n + BigInt(i * i);
    gear[at] = (i >> 3) - 1;
    pressure[at] = (i * 40_503) & 0xffff;
  }
  return [
    encodeCan(everySortOfFrame()),
    encodeLines(lines),
    encodeSamples(samples),
    encodeEvents([
      {
        timeUs: baseUs,
        type: 'source.started',
        attributes: { path: 'can0', bitRate: 500_000, listenOnly: true },
      },
      { timeUs: baseUs + 5, type: 'clock.step', attributes: { byUs: -(2 ** 41), by: null, share: 0.25 } },
    ]),
    encodeGap(
      { cause: 'buffer-full', detail: 'disk full' },
      { kind: 'can', recordCount: 12, firstTimeUs: baseUs, lastTimeUs: baseUs + 9 },
    ),
  ];
}
