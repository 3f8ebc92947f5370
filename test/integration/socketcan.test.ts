import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { tempFolder } from '../support/temp-folder.js';
import { hasUml, runInUml, whyNoUml } from '../support/uml.js';

interface Results {
  everySortOfFrame: {
    frames: number;
    difference: string;
    counters: { records: number; overruns?: number };
    events: string[];
  };
  overload: { sent: number; received: number; dropped: number; cause: string };
  downAndUp: { frames: string };
  filtered: { frames: string };
}

describe('SocketCAN, on a kernel with virtual CAN interfaces', function () {
  this.timeout(180_000);
  let results: Results;

  before(async function () {
    if (!hasUml) {
      console.log(`    skipped: ${whyNoUml}`);
      return this.skip();
    }
    await using folder = await tempFolder('uml');
    const guest = fileURLToPath(new URL('../support/socketcan-guest.js', import.meta.url));
    results = JSON.parse(await runInUml(folder.path, guest, 170_000)) as Results;
  });

  it('brings every frame as candump does, time included: classic, CAN FD, remote, errors', () => {
    const { frames, difference, counters, events } = results.everySortOfFrame;
    assert.equal(difference, 'none');
    assert.ok(frames > 22_000 && counters.records >= frames, `${frames}`);
    assert.equal(counters.overruns ?? 0, 0);
    assert.deepEqual(events, [
      'can.opened',
      'can.clock kernel',
      'can.state error-warning',
      'can.state bus-off',
    ]);
  });

  it('records what the kernel had to drop: frames and dropped ones are what was sent', () => {
    const { sent, received, dropped, cause } = results.overload;
    assert.ok(dropped > 0);
    assert.ok(
      received + dropped >= sent && received + dropped <= sent + 200,
      `${received} + ${dropped} of ${sent}`,
    );
    assert.equal(cause, 'source-dropped');
  });

  it('waits for an interface that is down or gone, and goes on when it is back', () => {
    assert.equal(results.downAndUp.frames, 'vcan0 001#01\nvcan0 002#02\nvcan0 003#03\n');
  });

  it('has the kernel pass on only the frames that are asked for', () => {
    assert.equal(results.filtered.frames, 'vcan0 123#01\nvcan0 18FEF100#03\nvcan0 12F#05\n');
  });
});
