import assert from 'node:assert/strict';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { exportRecords } from '#cloud/export/export.js';
import { formats } from '#cloud/export/formats.js';
import { openIndex, type Index } from '#cloud/index/index.js';
import type { TimesName } from '#cloud/time/correction.js';
import { ReceiverClock } from '#gateway/time/receiver-clock.js';
import { MemoryLog } from '../support/memory-log.js';
import { sentence } from '../support/nmea.js';
import { append } from '../support/recorded.js';
import { tempFolder } from '../support/temp-folder.js';
import { Vehicle, type VehicleOptions } from '../support/vehicle.js';

const gateway = 'truck-17';
const startUs = Date.UTC(2026, 10, 5, 10) * 1000;
const minuteUs = 60e6;
const hourUs = 3600e6;
const boots = ['1111111111111111', '2222222222222222', '3333333333333333'];

/** A record as it came out: what its clock said, and the truth, which is its text. */
interface Out {
  timeUs: number;
  trueUs: number;
  clock: string | undefined;
}

/** A log with an index over it, to which vehicles give what they have. */
class Cloud implements AsyncDisposable {
  readonly log = new MemoryLog();

  private constructor(
    readonly index: Index,
    log: MemoryLog,
    private readonly folder: AsyncDisposable,
  ) {
    this.log = log;
  }

  static async open(): Promise<Cloud> {
    const folder = await tempFolder('time');
    const log = new MemoryLog();
    const parts = { log, path: folder.path, logger: silentLogger, clock: systemClock };
    return new Cloud(await openIndex(parts), log, folder);
  }

  /** Takes the batches over, of these streams only where some are named. */
  async take(vehicle: Vehicle, ...streams: string[]): Promise<void> {
    const wanted = vehicle.batches.filter(({ stream }) => streams.length === 0 || streams.includes(stream));
    for (const batch of wanted) vehicle.batches.splice(vehicle.batches.indexOf(batch), 1);
    await append(
      this.log,
      wanted.map(({ bytes }) => bytes),
    );
    await this.index.caughtUp(AbortSignal.timeout(10_000));
  }

  async export(times: TimesName, fromUs = -1e15, toUs = 4e15): Promise<Out[]> {
    const range = { gateway, stream: 'gps0', fromUs, toUs, times };
    const parts = {
      index: this.index,
      log: this.log,
      ranges: [range],
      formatter: formats.ndjson.create({ several: false }),
    };
    let text = '';
    for await (const chunk of exportRecords(parts)) text += Buffer.from(chunk).toString();
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => {
        const { time, text: said, clock } = JSON.parse(line) as Record<string, string>;
        const timeUs = Date.parse(`${time.slice(0, 19)}Z`) * 1000 + Number(time.slice(20, 26));
        return { timeUs, trueUs: Number(said), clock };
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.index.close();
    await this.folder[Symbol.asyncDispose]();
  }
}

const world = { trueUs: startUs };

function vehicle(changes: Partial<VehicleOptions> = {}): Vehicle {
  return new Vehicle({ world, boot: boots[0], wallUs: 0, ...changes });
}

/** Records each `everyUs` for so long, with what else happens before each. */
async function drive(
  one: Vehicle,
  lengthUs: number,
  everyUs: number,
  also: () => void = () => {},
): Promise<void> {
  for (const endUs = world.trueUs + lengthUs; world.trueUs < endUs; world.trueUs += everyUs) {
    also();
    await one.record();
  }
}

const worstUs = (out: readonly Out[]): number =>
  out.reduce((worst, { timeUs, trueUs }) => Math.max(worst, Math.abs(timeUs - trueUs)), 0);

function assertOrdered(out: readonly Out[], records: number): void {
  assert.equal(out.length, records);
  for (let i = 1; i < out.length; i++) {
    assert.ok(out[i].timeUs >= out[i - 1].timeUs, `record ${i} has an earlier time`);
    assert.ok(out[i].trueUs > out[i - 1].trueUs, `record ${i} was captured earlier`);
  }
}

describe('event times', () => {
  beforeEach(() => {
    world.trueUs = startUs;
  });

  it('of a boot that begins in 1970 are right from its first record on when GPS has set the clock', async () => {
    await using cloud = await Cloud.open();
    const one = vehicle();
    const gps = new ReceiverClock(one.clock, one.keeper);
    await drive(one, minuteUs, 1e6);
    const latencyUs = 120_000;
    await drive(one, minuteUs, 1e6, () => {
      const line = Buffer.from(rmc(world.trueUs - latencyUs));
      gps.see(line, 0, line.length);
    });
    await cloud.take(one);

    const corrected = await cloud.export('corrected');
    assertOrdered(corrected, 120);
    assert.ok(worstUs(corrected) <= 1e6, `${worstUs(corrected)} µs`);
    assert.ok(corrected.every(({ clock }) => clock === undefined));
    const original = await cloud.export('original');
    assert.equal(original[0].timeUs, 0);
    assert.ok(original.slice(0, 60).every(({ timeUs }) => timeUs < minuteUs));
    assert.ok(worstUs(original.slice(70)) <= 1e6);
    const [boot] = await cloud.index.boots(gateway);
    assert.deepEqual([boot.timeline.state, boot.used[0].source], ['synced', 'gps']);
  });

  it('change when the clock event arrives after the batches', async () => {
    await using cloud = await Cloud.open();
    const one = vehicle();
    await drive(one, minuteUs, 1e6);
    await cloud.take(one);
    assert.equal((await cloud.export('corrected'))[0].timeUs, 0);
    assert.ok((await cloud.export('corrected')).every(({ clock }) => clock === 'unset'));

    one.keeper.refer('gps', one.clock.trueOffsetUs, 1000);
    await one.events.settled();
    await cloud.take(one);
    const corrected = await cloud.export('corrected');
    assertOrdered(corrected, 60);
    assert.equal(worstUs(corrected), 0);
    assert.deepEqual(await cloud.index.times(gateway, 'gps0', 'corrected'), {
      firstTimeUs: startUs,
      lastTimeUs: startUs + 59e6,
      clock: 'synced',
    });
  });

  it('select ranges, to the µs, and the original ones where these are asked for', async () => {
    await using cloud = await Cloud.open();
    const one = vehicle();
    await drive(one, minuteUs, 1e6);
    one.keeper.refer('gps', one.clock.trueOffsetUs, 1000);
    await drive(one, minuteUs, 1e6);
    await cloud.take(one);
    const some = await cloud.export('corrected', startUs + 30e6, startUs + 90e6);
    assert.deepEqual([some.length, some[0].trueUs, some[59].trueUs], [60, startUs + 30e6, startUs + 89e6]);
    assert.equal((await cloud.export('corrected', 0, hourUs)).length, 0);
    assert.equal((await cloud.export('original', 0, hourUs)).length, 60);
    assert.equal((await cloud.export('original', startUs)).length, 60);
  });

  it('keep their order, and become right, where the wall clock steps back by an hour', async () => {
    await using cloud = await Cloud.open();
    let lastSyncUs: number | undefined;
    const one = vehicle({ wallUs: startUs + hourUs, lastSyncUs: () => lastSyncUs });
    await drive(one, minuteUs, 1e6);
    one.clock.wallOffsetUs -= hourUs;
    await drive(one, minuteUs, 1e6);
    await cloud.take(one);
    // Nobody vouches for either; the later word counts.
    assertOrdered(await cloud.export('corrected'), 120);
    assert.ok(worstUs(await cloud.export('corrected')) <= 1);
    assert.ok(worstUs(await cloud.export('original')) >= hourUs);

    // And a time server that was compared with at last, after another step.
    one.clock.wallOffsetUs -= 2e6;
    lastSyncUs = one.clock.nowUs();
    await drive(one, minuteUs, 1e6);
    await cloud.take(one);
    const corrected = await cloud.export('corrected');
    assertOrdered(corrected, 180);
    assert.ok(Math.abs(worstUs(corrected) - 2e6) <= 1);
    assert.equal((await cloud.index.boots(gateway))[0].timeline.state, 'synced');
  });

  it('follow a crystal that drifts by 100 ppm between two looks at a reference', async () => {
    for (const ppm of [100, -100]) {
      world.trueUs = startUs;
      await using cloud = await Cloud.open();
      const one = vehicle({ ppm });
      let looks = 0;
      await drive(one, 6 * hourUs, 20e6, () => {
        if (looks++ % 30 === 0) one.keeper.refer('gps', one.clock.trueOffsetUs, 1000);
      });
      await cloud.take(one);
      const corrected = await cloud.export('corrected');
      assertOrdered(corrected, 1080);
      // Nothing is known of the last minutes but that the clock drifts: 100 ppm of at most 20 of them.
      assert.ok(worstUs(corrected.slice(0, -60)) <= 2000, `${worstUs(corrected.slice(0, -60))} µs`);
      assert.ok(worstUs(corrected) <= 130_000, `${worstUs(corrected)} µs`);
      const [{ timeline, lastUs }] = await cloud.index.boots(gateway);
      assert.ok(timeline.uncertaintyAt(lastUs) >= worstUs(corrected.slice(-1)));
    }
  });

  it('of two boots of which only the second was ever told the time stay in order, the first marked', async () => {
    await using cloud = await Cloud.open();
    const next = new Map<string, number>();
    // Its wall clock is ahead: as it stands, the first boot would come out behind the second.
    const first = vehicle({ next, wallUs: Date.UTC(2023, 0) * 1000 + 1e15 });
    await drive(first, minuteUs, 1e6);
    world.trueUs += minuteUs;
    const second = vehicle({ next, boot: boots[1] });
    await drive(second, minuteUs, 1e6);
    second.keeper.refer('gps', second.clock.trueOffsetUs, 1000);
    await drive(second, minuteUs, 1e6);
    await cloud.take(second); // newest first
    await cloud.take(first);

    const corrected = await cloud.export('corrected');
    assertOrdered(corrected, 180);
    assert.ok(worstUs(corrected.slice(60)) <= 1);
    assert.deepEqual(
      corrected.map(({ clock }) => clock),
      [...Array<string>(60).fill('coarse'), ...Array<undefined>(120).fill(undefined)],
    );
  });

  it('of a boot that was never told the time come behind those of the boot before it, and are marked', async () => {
    await using cloud = await Cloud.open();
    const next = new Map<string, number>();
    for (const [i, boot] of boots.entries()) {
      const one = vehicle({ next, boot });
      await drive(one, minuteUs, 1e6);
      if (i === 0) one.keeper.refer('gps', one.clock.trueOffsetUs, 1000);
      await one.events.settled();
      await cloud.take(one);
      world.trueUs += hourUs;
    }
    const corrected = await cloud.export('corrected');
    assertOrdered(corrected, 180);
    assert.equal(worstUs(corrected.slice(0, 60)), 0);
    assert.deepEqual(
      corrected.map(({ clock }) => clock),
      [...Array<undefined>(60).fill(undefined), ...Array<string>(120).fill('unset')],
    );
    assert.equal((await cloud.index.times(gateway, 'gps0', 'corrected'))?.clock, 'unset');
  });

  it('before the first boot that knows the time stay before it, and are marked', async () => {
    await using cloud = await Cloud.open();
    const next = new Map<string, number>();
    const first = vehicle({ next });
    await drive(first, minuteUs, 1e6);
    const second = vehicle({ next, boot: boots[1] });
    second.keeper.refer('gps', second.clock.trueOffsetUs, 1000);
    await drive(second, minuteUs, 1e6);
    await cloud.take(second);
    await cloud.take(first);
    const corrected = await cloud.export('corrected');
    assertOrdered(corrected, 120);
    assert.deepEqual(
      corrected.map(({ clock }) => clock),
      [...Array<string>(60).fill('unset'), ...Array<undefined>(60).fill(undefined)],
    );
  });
});

function rmc(timeUs: number): string {
  const [date, time] = new Date(timeUs / 1000).toISOString().split('T');
  const [year, month, day] = date.split('-');
  const clock = time.slice(0, 11).replaceAll(':', '');
  return sentence(`GPRMC,${clock},A,4717.11,N,00833.91,E,0.0,0.0,${day}${month}${year.slice(2)},,,A`);
}
