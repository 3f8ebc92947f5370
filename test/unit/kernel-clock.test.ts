import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { disciplineOf, kernelClock } from '#gateway/time/kernel-clock.js';
import type { TimeKeeper } from '#gateway/time/time-keeper.js';
import { keeperOn } from '../support/keeper.js';
import { VehicleClock } from '../support/vehicle.js';

const startUs = Date.UTC(2026, 10, 5, 10) * 1000;

/** As adjtimex(2) fills it in. */
function timex(maxError: bigint, estimatedError: bigint, status: number): Buffer {
  const bytes = Buffer.alloc(208);
  bytes.writeBigInt64LE(maxError, 24);
  bytes.writeBigInt64LE(estimatedError, 32);
  bytes.writeInt32LE(status, 40);
  return bytes;
}

describe('what the kernel knows of its clock', () => {
  const [pll, unsynchronized] = [0x1, 0x40];

  it("is the daemon's bound of the error, or a cautious one where it told none", () => {
    assert.deepEqual(disciplineOf(timex(850n, 12n, pll)), { isSynced: true, uncertaintyUs: 850 });
    assert.deepEqual(disciplineOf(timex(500n, 0n, pll)), { isSynced: true, uncertaintyUs: 100_000 });
    assert.deepEqual(disciplineOf(timex(700_000n, 0n, pll)), { isSynced: true, uncertaintyUs: 700_000 });
    assert.equal(disciplineOf(timex(16_000_000n, 16_000_000n, pll | unsynchronized)).isSynced, false);
  });

  it('is read from where the kernel writes it', function () {
    const read = kernelClock()?.read();
    if (!read || process.arch !== 'x64') return this.skip();
    const code =
      'import ctypes,struct;b=ctypes.create_string_buffer(208);ctypes.CDLL("libc.so.6").adjtimex(b);' +
      'print(struct.unpack_from("@IqqqqiqqqqqqI",b)[5] & 64)';
    let status: string;
    try {
      status = execFileSync('python3', ['-c', code], { encoding: 'utf8' });
    } catch {
      return this.skip(); // no Python here
    }
    assert.equal(read.isSynced, status.trim() === '0');
    assert.ok(read.uncertaintyUs > 0);
  });

  describe('as a reference of the gateway', () => {
    let discipline = { isSynced: false, uncertaintyUs: 16_000_000 };
    let clock: VehicleClock;
    let keeper: TimeKeeper;

    beforeEach(() => {
      clock = new VehicleClock({ trueUs: startUs }, startUs);
      keeper = keeperOn(clock, {
        kernelClock: { read: () => discipline },
        kernel: { lastSyncUs: () => startUs },
      });
    });

    it('leaves the clock coarse until a daemon keeps it right, whatever an old file says', () => {
      assert.deepEqual(keeper.read().state, 'coarse');
      discipline = { isSynced: true, uncertaintyUs: 850 };
      keeper.look();
      const { state, uncertaintyUs } = keeper.read();
      assert.deepEqual([state, uncertaintyUs], ['synced', 850]);
    });

    it('counts the wall clock as it is slewed, without a step of the stamps', () => {
      discipline = { isSynced: true, uncertaintyUs: 850 };
      keeper.look();
      const before = keeper.read().wallOffsetUs;
      clock.wallOffsetUs += 4000;
      keeper.look();
      const { wallOffsetUs, uncertaintyUs } = keeper.read();
      assert.deepEqual([wallOffsetUs, uncertaintyUs], [before, 850 + 4000]);
    });

    it('keeps to what it knew where somebody sets the clock by hand, which the kernel notes', () => {
      discipline = { isSynced: true, uncertaintyUs: 850 };
      keeper.look();
      const nowUs = keeper.nowUs();
      discipline = { isSynced: false, uncertaintyUs: 16_000_000 };
      clock.wallOffsetUs -= 3600e6;
      keeper.look();
      assert.deepEqual([keeper.nowUs(), keeper.read().state], [nowUs, 'synced']);
    });
  });
});
