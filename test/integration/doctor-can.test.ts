import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import type { BusReport, IdReport } from '#gateway/bus/bus-watch.js';
import { tempFolder } from '../support/temp-folder.js';
import { hasUml, runInUml, whyNoUml } from '../support/uml.js';

interface Results {
  nothing: string[];
  down: string[];
  silent: string[];
  heard: string[];
  restart: number;
  theirs: { frames: number; bits: number }[];
  ours: BusReport[];
  ids: IdReport[];
}

describe('the doctor and the bus statistics, on a kernel with virtual CAN interfaces', function () {
  this.timeout(180_000);
  let results: Results;

  before(async function () {
    if (!hasUml) {
      console.log(`    skipped: ${whyNoUml}`);
      return this.skip();
    }
    await using folder = await tempFolder('uml');
    const guest = fileURLToPath(new URL('../support/doctor-guest.js', import.meta.url));
    results = JSON.parse(await runInUml(folder.path, guest, 170_000)) as Results;
  });

  it('sees an interface that is missing, down, silent and busy', () => {
    const { nothing, down, silent, heard } = results;
    assert.match(nothing[0], /^wrong There is no CAN interface vcan0/);
    assert.match(down[0], /^wrong vcan0 \(vcan\) is down/);
    assert.match(silent[0], /^note vcan0 \(vcan\) is up, and nothing was heard/);
    assert.match(heard[0], /^fine vcan0 \(vcan\) is up; \d+ frames within/);
  });

  it('asks for a restart in words that the kernel understands', () => {
    assert.equal(results.restart, 95); // EOPNOTSUPP: a virtual interface has no controller
  });

  it('counts the bits of a frame as canbusload does', () => {
    const { theirs, ours, ids } = results;
    const [bus] = ours;
    const busy = theirs.find(({ frames }) => frames > 20)!;
    assert.ok(bus.framesPerSecond > 0);
    assert.equal(bus.bitsPerSecond / bus.framesPerSecond, busy.bits / busy.frames);
    assert.ok(Math.abs(bus.load! - bus.bitsPerSecond / 500_000) < 1e-9);
    assert.equal(bus.controller?.up, true);
    const [id] = ids;
    assert.deepEqual([id.id, id.data], ['123', '00000000FFFFFF1F']);
  });
});
