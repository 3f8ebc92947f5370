import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CAN_EFF_FLAG, CAN_RTR_FLAG, FRAME_BRS, FRAME_FD } from '@fleetlog/shared/can';
import { SlcanFrame } from '#gateway/sources/slcan/slcan-line.js';

function read(text: string) {
  const frame = new SlcanFrame();
  const bytes = Buffer.from(`xx${text}yy`, 'latin1');
  if (!frame.read(bytes, 2, bytes.length - 2)) return undefined;
  const { id, flags, dlc, length, timeMs } = frame;
  return { id, flags, dlc, data: Buffer.from(frame.data.subarray(0, length)).toString('hex'), timeMs };
}

describe('frames of Lawicel adapters', () => {
  it('are read in all their forms', () => {
    assert.deepEqual(read('t1002AB3c'), { id: 0x100, flags: 0, dlc: 2, data: 'ab3c', timeMs: -1 });
    assert.deepEqual(read('t7FF0'), { id: 0x7ff, flags: 0, dlc: 0, data: '', timeMs: -1 });
    assert.deepEqual(read('t10021122EA5F'), { id: 0x100, flags: 0, dlc: 2, data: '1122', timeMs: 59_999 });
    assert.deepEqual(read('T18FEF1008' + '00'.repeat(8)), {
      id: (0x18fef100 | CAN_EFF_FLAG) >>> 0,
      flags: 0,
      dlc: 8,
      data: '00'.repeat(8),
      timeMs: -1,
    });
    assert.deepEqual(read('r1234'), {
      id: (0x123 | CAN_RTR_FLAG) >>> 0,
      flags: 0,
      dlc: 4,
      data: '',
      timeMs: -1,
    });
    assert.deepEqual(read('R1FFFFFFF80001')?.timeMs, 1);
    assert.deepEqual(read('d1239' + '11'.repeat(12)), {
      id: 0x123,
      flags: FRAME_FD,
      dlc: 9,
      data: '11'.repeat(12),
      timeMs: -1,
    });
    assert.equal(read('B1FFFFFFFF' + '22'.repeat(64) + '0010')?.flags, FRAME_FD | FRAME_BRS);
    assert.deepEqual(read('t123F' + '33'.repeat(8))?.dlc, 15, 'a raw DLC above 8 has 8 bytes');
  });

  it('are refused where they are cut, too long or no frames', () => {
    for (const text of [
      '',
      't',
      't12',
      't123',
      't1231',
      't12311',
      't123111111',
      't8000',
      'x1230',
      't12G0',
      'T2000000000',
      'r1239',
      't1231112',
      't123111EA60',
      'V1013',
      'F00',
      'z',
    ]) {
      assert.equal(read(text), undefined, text);
    }
  });

  it('never make the reader fail, whatever the bytes', () => {
    const frame = new SlcanFrame();
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 160 }),
        fc.constantFrom('t', 'T', 'r', 'R', 'd', 'D', 'b', 'B'),
        (noise, letter) => {
          const bytes = Buffer.concat([Buffer.from(letter), noise]);
          if (frame.read(bytes, 0, bytes.length)) assert.ok(frame.length <= 64 && frame.dlc <= 15);
        },
      ),
      { numRuns: 2000 },
    );
  });
});
