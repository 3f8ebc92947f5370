import assert from 'node:assert/strict';
import { TextLines } from '@fleetlog/shared/batch';
import { LineDecoder } from '#cloud/signals/gps/line-decoder.js';
import { lineSignals } from '#cloud/signals/gps/line-signals.js';
import { LineReader, typesOf, type ReportName } from '#cloud/signals/gps/line-reader.js';
import { sentence } from '../support/nmea.js';
import { navPvt, ubx } from '../support/ubx.js';

const startUs = Date.UTC(2026, 1, 23, 10) * 1000;

const everyType: ReportName[] = (['nmea', 'ubx', 'gpsd'] as const).flatMap((dialect) =>
  typesOf[dialect].map(({ name }) => ({ dialect, name })),
);
const all = lineSignals('truck-17', 'gps0', everyType);

/** Lines `stepUs` apart. */
function linesOf(lines: readonly (string | Uint8Array)[], stepUs = 50_000): TextLines {
  const held = new TextLines();
  for (const [i, line] of lines.entries()) {
    const bytes = typeof line === 'string' ? Buffer.from(`${line}\r\n`, 'latin1') : line;
    held.append(startUs + i * stepUs, bytes, 0, bytes.length);
  }
  return held;
}

/** Values of signals: for each, `index of the line:value`. */
function valuesOf(
  names: readonly string[],
  lines: TextLines,
  portion = lines.count,
  stepUs = 50_000,
): Record<string, string[]> {
  const decoder = new LineDecoder(names.map((name) => all.find((one) => one.name === name)!));
  const values: Record<string, string[]> = Object.fromEntries(names.map((name) => [name, []]));
  let lastUs = -Infinity;
  const take = (answers: ReturnType<LineDecoder['decode']>): void => {
    for (const answer of answers) {
      let endUs = lastUs;
      for (const [column, { count, times, values: said }] of answer.entries()) {
        for (let i = 0; i < count; i++) {
          assert.ok(times[i] >= lastUs, 'times never go back, from answer to answer');
          endUs = Math.max(endUs, times[i]);
          values[names[column]].push(`${(times[i] - startUs) / stepUs}:${+said[i].toFixed(9)}`);
        }
      }
      lastUs = endUs;
    }
  };
  for (let at = 0; at < lines.count; at += portion) {
    take(decoder.decode(lines, at, Math.min(lines.count, at + portion)));
  }
  take(decoder.finish());
  return values;
}

const gga = (time: string, talker = 'GP'): string =>
  sentence(`${talker}GGA,${time},4807.038,N,01131.500,W,1,08,0.9,545.4,M,46.9,M,,`);
const rmc = (time: string, knots = '010.0', talker = 'GP'): string =>
  sentence(`${talker}RMC,${time},A,4807.038,N,01131.500,W,${knots},084.4,230226,003.1,W`);
const gsa = (satellites: string, system = ''): string =>
  sentence(
    `GNGSA,A,3,${satellites.padEnd(satellites.length + 11 - (satellites.match(/,/g)?.length ?? 0), ',')},1.8,0.9,1.5${system}`,
  );
const gsv = (talker: string, satellites: string): string => sentence(`${talker}GSV,1,1,${satellites}`);

describe('signals of GPS receivers', () => {
  it('come from the sentences of all talkers, and from nothing whose checksum is wrong', () => {
    const lines = ['GP', 'GL', 'GA', 'GB', 'BD', 'GQ', 'GN'].map((talker) => rmc('100000', '010.0', talker));
    lines.push(
      rmc('100001').replace('010.0', '910.0'),
      '!AIVDM,1,1,,A,14eG;o@034o8sd<L9i:a;WF>062D,0*7D',
      sentence('PUBX,00,100001,4807.038,N,01131.500,W,545.4,G3,2.1,2.0,0.0,77.5,0.0,,0.9,1.5,0.9,9,0,0'),
      rmc('100001').slice(0, 30),
      'hello',
      '',
      `half a sent${rmc('100002', '020.0')}`,
    );
    const { 'RMC/speed': speeds } = valuesOf(['RMC/speed'], linesOf(lines));
    assert.deepEqual(
      speeds.map((value) => value.replace(/^\d+:/, '')),
      [...Array.from({ length: 7 }, () => '5.144444444'), '10.288888889'],
    );
    const reader = new LineReader();
    const wrong = Buffer.from(lines[7]);
    assert.equal(reader.read(wrong, 0, wrong.length, startUs), 'wrong checksum');
  });

  it('are put together to one position an epoch, whatever its sentences are and in which order', () => {
    const satellites = [gsa('01,02,03', ',1'), gsa('01,02,70', ',2'), gsv('GP', '07'), gsv('GL', '05')];
    const names = ['latitude', 'longitude', 'altitude', 'altitudeEllipsoid', 'speed', 'track', 'mode'];
    const more = ['satellitesUsed', 'satellitesSeen', 'hdop', 'vdop', 'pdop', 'time'];
    const orders = [
      (time: string) => [gga(time), rmc(time), ...satellites],
      (time: string) => [...satellites, gga(time), rmc(time)],
      (time: string) => [rmc(time), ...satellites, gga(time)],
      (time: string) => [gga(time), ...satellites, rmc(time)],
    ];
    for (const order of orders) {
      const lines = linesOf([...order('100000'), ...order('100001'), ...order('100002')]);
      const expected = ['48.1173', '-11.525', '545.4', '592.3', '5.144444444', '84.4', '3'];
      const moreExpected = ['8', '12', '0.9', '1.5', '1.8'];
      const values = valuesOf(
        [...names, ...more].map((name) => `position/${name}`),
        lines,
      );
      for (const [i, name] of [...names, ...more.slice(0, -1)].entries()) {
        const value = [...expected, ...moreExpected][i];
        assert.deepEqual(values[`position/${name}`], [`0:${value}`, `6:${value}`, `12:${value}`], name);
      }
      const [first] = values['position/time'];
      assert.equal(first, `0:${startUs / 1e6}`);
    }
  });

  it('are of the epoch that the pause between two tells, in whatever order they come and wherever the record begins', () => {
    // In each second as many satellites are seen as the second says: 20 in the first.
    const lists = (second: number): string[] => [gsa('01,02'), gsv('GP', `${20 + second}`)];
    const timeOf = (second: number): string => `10000${second}`;
    const orders: Record<string, ((second: number) => string[])[]> = {
      'lists behind': [(second) => [rmc(timeOf(second)), gga(timeOf(second)), ...lists(second)]],
      'lists before': [(second) => [...lists(second), rmc(timeOf(second)), gga(timeOf(second))]],
      'lists before, and then behind': [
        (second) => [...lists(second), gga(timeOf(second))],
        (second) => [gga(timeOf(second)), ...lists(second)],
      ],
    };
    for (const [what, [order, later = order]] of Object.entries(orders)) {
      for (const missing of [0, 1, 2]) {
        const held = new TextLines();
        for (let second = 0; second < 9; second++) {
          const lines = (second < 5 ? order : later)(second);
          for (const [i, line] of lines.slice(second === 0 ? missing : 0).entries()) {
            const bytes = Buffer.from(`${line}\r\n`);
            held.append(
              startUs + second * 1_000_000 + i * 20_003 + ((second * 37) % 11),
              bytes,
              0,
              bytes.length,
            );
          }
        }
        const { 'position/satellitesSeen': seen } = valuesOf(
          ['position/satellitesSeen'],
          held,
          held.count,
          1e6,
        );
        const bySecond = seen.map((value) => value.split(':').map((part) => Math.floor(Number(part))));
        // The first epochs show what pauses there are.
        const expected = [4, 5, 6, 7, 8].map((second) => [second, 20 + second]);
        assert.deepEqual(bySecond.slice(-5), expected, `${what}, ${missing} missing`);
      }
    }
  });

  it('are the same however the lines are cut into portions', () => {
    const lines = linesOf(
      ['100000', '100001', '100002'].flatMap((time) => [
        gga(time),
        gsv('GP', '07'),
        gsa('01,02'),
        rmc(time),
        navPvt({ timeMs: startUs / 1000 }),
      ]),
    );
    const names = ['position/latitude', 'position/satellitesSeen', 'RMC/speed', 'GSA/pdop', 'NAV-PVT/climb'];
    const whole = valuesOf(names, lines);
    for (const portion of [1, 2, 3, 4, 7]) assert.deepEqual(valuesOf(names, lines, portion), whole);
  });

  it('tell no position where the receiver has none, and say so', () => {
    const lines = linesOf([
      sentence('GPGGA,100000,4807.038,N,01131.500,W,0,00,99.9,545.4,M,46.9,M,,'),
      sentence('GPRMC,100000,V,4807.038,N,01131.500,W,010.0,084.4,230226,,,N'),
      sentence('GPGGA,,,,,,0,00,99.9,,,,,,'),
      sentence('GPRMC,,V,,,,,,,,,,N'),
      sentence('GPGGA,,,,,,0,00,99.9,,,,,,'),
      sentence('GPRMC,,V,,,,,,,,,,N'),
    ]);
    assert.deepEqual(
      valuesOf(['position/latitude', 'position/speed', 'position/mode', 'GGA/quality'], lines),
      {
        'position/latitude': [],
        'position/speed': [],
        'position/mode': ['0:1', '2:1', '4:1'],
        'GGA/quality': ['0:0', '2:0', '4:0'],
      },
    );
    const packets = linesOf([navPvt({ timeMs: startUs / 1000, fixType: 0, flags: 0, valid: 0 })]);
    assert.deepEqual(valuesOf(['position/latitude', 'position/mode', 'position/time'], packets), {
      'position/latitude': [],
      'position/mode': ['0:1'],
      'position/time': [],
    });
  });

  it('have the day of the last sentence that told one, over midnight too, else that of the recording', () => {
    const lines = linesOf([gga('235959'), sentence('GPZDA,235959,22,02,2026,00,00'), gga('000000')]);
    const dayUs = 86_400_000_000;
    const midnight = (Math.floor(startUs / dayUs) * dayUs) / 1e6;
    assert.deepEqual(valuesOf(['position/time'], lines)['position/time'], [
      `0:${midnight - 1}`,
      `2:${midnight}`,
    ]);
    assert.deepEqual(valuesOf(['position/time'], linesOf([gga('235950')]))['position/time'], [
      `0:${midnight - 10}`,
    ]);
  });

  it("come from u-blox's NAV-PVT, and from what older receivers say in several packets", () => {
    const pvt = [navPvt({ timeMs: startUs / 1000, latitude: -48.8767, longitude: -123.3933 })];
    const names = [
      'latitude',
      'longitude',
      'altitude',
      'altitudeEllipsoid',
      'speed',
      'track',
      'climb',
      'mode',
    ];
    const errors = ['satellitesUsed', 'pdop', 'horizontalError', 'verticalError', 'speedError', 'time'];
    const values = valuesOf(
      [...names, ...errors].map((name) => `position/${name}`),
      linesOf(pvt),
    );
    assert.deepEqual(
      Object.values(values).map(([value]) => Number(value.slice(2))),
      [-48.8767, -123.3933, 36.5, 32, 13.9, 270.5, 0.75, 3, 17, 1.65, 1.25, 2.5, 0.12, startUs / 1e6],
    );
    const posllh = Buffer.alloc(28);
    posllh.writeInt32LE(-1_233_933_000, 4);
    posllh.writeInt32LE(-488_767_000, 8);
    posllh.writeInt32LE(36_500, 16);
    const sol = Buffer.alloc(52);
    sol.set([3, 1], 10);
    sol[47] = 9;
    const velned = Buffer.alloc(36);
    velned.writeInt32LE(-75, 12);
    velned.writeUInt32LE(1390, 20);
    const packets = [ubx(1, 0x02, posllh), ubx(1, 0x06, sol), ubx(1, 0x12, velned)];
    const damaged = Buffer.from(packets[0]);
    damaged[10] ^= 1;
    const older = valuesOf(
      ['latitude', 'altitude', 'speed', 'climb', 'mode', 'satellitesUsed'].map((name) => `position/${name}`),
      linesOf([damaged, ...packets]),
    );
    assert.deepEqual(
      Object.values(older).map((one) => one.join()),
      ['1:-48.8767', '1:36.5', '1:13.9', '1:0.75', '1:3', '1:9'],
    );
  });

  it('come from gpsd where it speaks, and not a second time from what it passes on', () => {
    const tpv = (second: number): string =>
      `{"class":"TPV","mode":3,"time":"2026-02-23T10:00:0${second}.000Z","lat":48.5,"lon":-11.5,"altMSL":500.5,"speed":2.5,"eph":4.5}`;
    const sky = '{"class":"SKY","hdop":0.9,"satellites":[{"PRN":1,"used":true},{"PRN":2,"used":false}]}';
    const lines = linesOf([
      '{"class":"VERSION","release":"3.22"}',
      ...[0, 1].flatMap((second) => [gga(`10000${second}`), rmc(`10000${second}`), tpv(second), sky]),
      '{"class":"TPV","mode":',
      '{"class":"TPV","mode":0}',
    ]);
    const names = ['position/latitude', 'position/satellitesUsed', 'TPV/eph', 'RMC/speed'];
    assert.deepEqual(valuesOf(names, lines), {
      'position/latitude': ['3:48.5', '7:48.5'],
      'position/satellitesUsed': ['3:1', '7:1'],
      'TPV/eph': ['3:4.5', '7:4.5'],
      'RMC/speed': ['2:5.144444444', '6:5.144444444'],
    });
  });
});
