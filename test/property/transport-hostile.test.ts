import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CAN_EFF_FLAG, CanFrames, FRAME_FD } from '@fleetlog/shared/can';
import { obdDatabase } from '#cloud/signals/obd/database.js';
import { StreamDecoder } from '#cloud/signals/stream-decoder.js';
import { messageText, parseText } from '../support/dbc.js';

const heads = [
  0x7e8,
  0x7ec,
  CAN_EFF_FLAG + 0x1cec_ff00,
  CAN_EFF_FLAG + 0x1ceb_ff00,
  CAN_EFF_FLAG + 0x18da_f110,
  CAN_EFF_FLAG + 0x18ce_f110,
];
/** Begins of frames that mean something to the protocols. */
const openings = [
  [0x10, 0x14],
  [0x1f, 0xff],
  [0x21],
  [0x22],
  [0x30],
  [0, 20],
  [32, 28, 0, 4, 255, 0xe3, 0xfe, 0],
  [1],
  [2],
  [255],
];

const frame = fc.record({
  id: fc.constantFrom(...heads),
  opening: fc.constantFrom(...openings),
  rest: fc.uint8Array({ maxLength: 64 }),
  length: fc.constantFrom(0, 1, 2, 7, 8, 8, 8, 8, 12, 64),
  isFd: fc.boolean(),
  stepUs: fc.integer({ min: 0, max: 2_000_000 }),
});

describe('transport protocols and hostile frames', () => {
  it('give at most one message for a frame, in the order of time, and never fail', () => {
    const { messages } = parseText(
      `${messageText(['A : 80|8@1+ (1,0) [0|0] "" Node'], 'BO_ 2028 Uds: 20 Node')}` +
        messageText(['C : 80|8@1+ (1,0) [0|0] "" Node'], 'BO_ 2563698960 Mixed: 100 Node') +
        messageText(['B : 96|8@1+ (1,0) [0|0] "" Node'], 'BO_ 2566841088 Tp: 28 Node'),
    ).database;
    const obd = obdDatabase().database.messages[0];
    const columns = [...messages, obd].map((message) => [
      { message, signal: message.signals[0], fromUs: undefined, toUs: undefined },
    ]);
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 100 }), (drawn) => {
        const frames = new CanFrames();
        const bus = frames.busIndex('can0');
        let timeUs = 0;
        for (const { id, opening, rest, length, isFd, stepUs } of drawn) {
          timeUs += stepUs;
          const data = Uint8Array.from([...opening, ...rest, ...new Uint8Array(64)]).subarray(0, length);
          frames.append(timeUs, id, isFd ? FRAME_FD : 0, length, bus, data, 0, length);
        }
        for (const found of new StreamDecoder(columns).decode(frames, 0, frames.count)) {
          for (const { count, times } of found) {
            assert.ok(count <= drawn.length);
            for (let i = 1; i < count; i++) assert.ok(times[i - 1] <= times[i]);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });
});
