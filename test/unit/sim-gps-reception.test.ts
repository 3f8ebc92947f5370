import assert from 'node:assert/strict';
import { NmeaTime } from '#gateway/sources/nmea-time.js';
import type { Firmware, ReceiverSettings } from '#sim/vehicle/firmware.js';
import { nmeaText } from '#sim/vehicle/gps.js';
import { GpsFixes, type GpsFix, type Motion } from '#sim/vehicle/gps-fixes.js';
import { UbloxReceiver } from '#sim/vehicle/ublox.js';
import { cutPackets } from '../support/ubx.js';

const startUs = 1_767_254_400_000_000;
const SPEED = 10;
const METRES_PER_DEGREE = 111_320;
const HOME_LATITUDE = -48.8767;

/** Straight to the north at 10 m/s, with a tunnel. */
class Northwards implements Motion {
  eastM = 0;
  northM = 0;
  readonly heading = 0;
  readonly speedMps = SPEED;
  constructor(private readonly tunnelM: readonly [number, number] = [0, 0]) {}
  get placeM(): number {
    return this.northM;
  }
  get tunnel(): boolean {
    return this.northM >= this.tunnelM[0] && this.northM < this.tunnelM[1];
  }
  advanceTo(elapsedUs: number): void {
    this.northM = (elapsedUs / 1e6) * SPEED;
  }
}

const firmwareOf = (
  start: ReceiverSettings['start'],
  canyons: ReceiverSettings['canyons'] = [],
): Firmware => ({
  receiver: { start, canyons },
});

function fixesOf(seed: number, firmware: Firmware, seconds: number, motion = new Northwards()): GpsFix[] {
  const fixes = new GpsFixes({ seed, startUs, firmware, motion });
  return Array.from({ length: seconds }, () => fixes.next(Infinity)!);
}

/** Metres east and north of where it was. */
function errorOf({ place }: GpsFix, second: number): [eastM: number, northM: number] {
  const east = (place!.longitude + 123.3933) * METRES_PER_DEGREE * Math.cos((HOME_LATITUDE * Math.PI) / 180);
  return [east, (place!.latitude - HOME_LATITUDE) * METRES_PER_DEGREE - second * SPEED];
}

const rms = (values: readonly number[]): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

function correlation(values: readonly number[], lag: number): number {
  const pairs = values.slice(lag).map((value, i) => value * values[i]);
  return pairs.reduce((sum, value) => sum + value, 0) / pairs.length / rms(values) ** 2;
}

describe('a simulated GPS receiver that was just switched on', () => {
  for (const [start, fastestS, slowestS] of [
    ['cold', 26, 40],
    ['warm', 20, 32],
    ['hot', 1, 3],
  ] as const) {
    it(`finds its place after ${fastestS} to ${slowestS} s with a ${start} start`, () => {
      const times = Array.from({ length: 30 }, (_, seed) =>
        fixesOf(seed, firmwareOf(start), 60).findIndex(({ place }) => place !== undefined),
      );
      assert.ok(Math.min(...times) >= fastestS - 1 && Math.max(...times) <= slowestS, times.join(' '));
      assert.ok(new Set(times).size > 1, 'not all the same');
    });
  }

  it('knows no time at first when it was cold, then the time of day, then the date, and says so', () => {
    const text = [
      ...nmeaText({
        seed: 3,
        startUs,
        firmware: firmwareOf('cold'),
        motion: new Northwards(),
        durationUs: 60e6,
      }),
    ].join('');
    const rmc = text.split('\r\n').filter((line) => line.startsWith('$GPRMC'));
    assert.match(rmc[0], /^\$GPRMC,,V,,,,,,,,,,N\*/);
    const [clock, dated] = [/^\$GPRMC,\d{6}\.\d\d,V,,,,,,,,,,N\*/, /^\$GPRMC,\d{6}\.\d\d,A,.*,010126,/].map(
      (wanted) => rmc.findIndex((line) => wanted.test(line)),
    );
    assert.ok(clock >= 6 && clock <= 15 && dated >= 25 && dated <= 40, `${clock} s, ${dated} s`);
    assert.match(text, /^\$GPGGA,,,,,,0,00,,,M,,M,,\*/);
    const bytes = Buffer.from(text);
    assert.equal(
      NmeaTime.firstIn(bytes, 0, bytes.length),
      startUs + dated * 1e6,
      'a gateway believes the first date',
    );
  });

  it('says in packets of u-blox which part of the time is valid', () => {
    const receiver = new UbloxReceiver({
      seed: 3,
      startUs,
      firmware: firmwareOf('cold'),
      motion: new Northwards(),
    });
    const flags = Array.from({ length: 800 }, () => {
      const pvt = cutPackets(receiver.next(Infinity)).packets[0];
      const [valid, fixType, satellites] = [pvt[6 + 11], pvt[6 + 20], pvt[6 + 23]];
      assert.equal(fixType === 3, satellites >= 4);
      return valid;
    });
    assert.deepEqual([...new Set(flags)], [0, 2, 3, 7]);
  });

  it('has no fix in a tunnel, and again a moment behind it, with fewer satellites at first', () => {
    for (let seed = 0; seed < 20; seed++) {
      const fixes = fixesOf(seed, firmwareOf('hot'), 200, new Northwards([1000, 1400]));
      assert.ok(fixes.slice(100, 140).every(({ place }) => place === undefined));
      const again = fixes.findIndex(({ place }, i) => i >= 140 && place !== undefined);
      assert.ok(again >= 140 && again <= 143, `${again}`);
      const [soon, later] = [fixes[again].place!, fixes[199].place!];
      assert.ok(soon.satellites.length < later.satellites.length && soon.hdop > later.hdop);
      assert.ok(
        fixes.every(({ knows }) => knows.knowsTime),
        'its clock goes on',
      );
    }
  });

  it('is led astray between houses by an error that stays for seconds, across the street above all', () => {
    const houses = fixesOf(8, firmwareOf('hot', [{ fromM: 0, toM: 1e6 }]), 4000);
    const open = fixesOf(8, firmwareOf('hot'), 4000);
    const across = (fixes: readonly GpsFix[]): number[] =>
      fixes.flatMap((fix, i) => (fix.place ? [errorOf(fix, i)[0]] : []));
    const along = houses.flatMap((fix, i) => (fix.place ? [errorOf(fix, i)[1]] : []));
    assert.ok(rms(across(houses)) > 10 && rms(across(houses)) < 18, `${rms(across(houses))} m`);
    assert.ok(rms(across(open)) < 2.5 && rms(along) < 8);
    assert.ok(correlation(across(houses), 1) > 0.85, 'from second to second');
    assert.ok(Math.abs(correlation(across(houses), 90)) < 0.3, 'forgotten after a minute and a half');
    const lost = houses.slice(10).filter(({ place }) => !place).length / 3990;
    assert.ok(lost > 0.01 && lost < 0.12, `${lost} without a fix`);
    const dilution = (fixes: readonly GpsFix[]): number => {
      const found = fixes.slice(40).flatMap(({ place }) => (place ? [place.hdop] : []));
      return found.reduce((sum, hdop) => sum + hdop, 0) / found.length;
    };
    assert.ok(dilution(houses) > 1.6 && dilution(open) < 1.1);
  });
});
