import assert from 'node:assert/strict';
import { NmeaTime } from '#gateway/sources/nmea-time.js';
import { sentence as bareSentence } from '../support/nmea.js';

const sentence = (content: string): string => `${bareSentence(content)}\r\n`;
const rmc = (time: string, date: string): string =>
  sentence(`GPRMC,${time},A,4807.038,N,01131.000,E,022.4,084.4,${date},003.1,W`);
const zda = (time: string, day: string, month: string, year: string): string =>
  sentence(`GNZDA,${time},${day},${month},${year},00,00`);
const gga = (time: string): string =>
  sentence(`GPGGA,${time},4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,`);
const gll = (time: string): string => sentence(`GPGLL,4916.45,N,12311.12,W,${time},A`);
const gns = (time: string): string => sentence(`GNGNS,${time},4807.038,N,01131.000,E,AA,16,0.9,545.4,46.9,,`);

const iso = (timeUs: number | undefined): string | undefined =>
  timeUs === undefined ? undefined : new Date(timeUs / 1000).toISOString();

/** What the time is after each line. */
function told(...lines: string[]): (string | undefined)[] {
  const nmea = new NmeaTime();
  return lines.map((line) => {
    const bytes = Buffer.from(`before\n${line}behind\n`, 'latin1');
    nmea.see(bytes, 7, 7 + Buffer.byteLength(line, 'latin1'));
    return iso(nmea.timeUs);
  });
}

const firstOf = (...lines: string[]): string | undefined => {
  const bytes = Buffer.from(lines.join(''), 'latin1');
  return iso(NmeaTime.firstIn(bytes, 0, bytes.length));
};

describe('times of NMEA sentences', () => {
  it('come from RMC and ZDA with date, and from GGA, GLL and GNS with the last date', () => {
    assert.deepEqual(
      told(
        gga('100000'),
        rmc('100000.00', '230226'),
        zda('100001.25', '23', '02', '2026'),
        gga('100002'),
        gll('100003.000'),
        gns('100004.5'),
        sentence('GPGSV,1,1,00'),
      ),
      [
        undefined,
        undefined, // nothing confirms it yet
        '2026-02-23T10:00:01.250Z',
        '2026-02-23T10:00:02.000Z',
        '2026-02-23T10:00:03.000Z',
        '2026-02-23T10:00:04.500Z',
        '2026-02-23T10:00:04.500Z',
      ],
    );
  });

  it('go over midnight, with and without a date', () => {
    assert.deepEqual(
      told(
        rmc('235957', '311225'),
        rmc('235958', '311225'),
        gga('235959.5'),
        gga('000000.5'),
        rmc('000001', '010126'),
        gga('235959'),
      ).slice(2),
      [
        '2025-12-31T23:59:59.500Z',
        '2026-01-01T00:00:00.500Z',
        '2026-01-01T00:00:01.000Z',
        '2025-12-31T23:59:59.000Z',
      ],
    );
  });

  it('are found behind binary bytes on the same line', () => {
    const junk = 'µb\x01\x07$\x00\xff$G';
    assert.equal(
      told(rmc('100000', '230226'), junk + rmc('100001', '230226'))[1],
      '2026-02-23T10:00:01.000Z',
    );
  });

  it("don't come from sentences with a wrong or no checksum, no fix of the time, or an impossible one", () => {
    const good = [rmc('100000', '230226'), rmc('100001', '230226')];
    for (const bad of [
      rmc('100002', '230226').replace('4807', '4808'),
      rmc('100002', '230226').replace(/\*..\r\n/, '\r\n'),
      rmc('100002', '230226').replace(/\*..\r\n/, '*'),
      rmc('', ''),
      rmc('100002', ''),
      rmc('100002', '310226'),
      rmc('100002', '231326'),
      rmc('250002', '230226'),
      rmc('10:00:02', '230226'),
      zda('', '', '', ''),
      zda('100002', '23', '02', '1980'),
      rmc('100002', '050180'),
      gga(''),
      sentence('PGRMC,100002,A,1,N,1,E,1,1,230226,1,W'),
      '$',
      '$GPRMC',
      '',
    ]) {
      assert.equal(told(...good, bad)[2], '2026-02-23T10:00:01.000Z', JSON.stringify(bad));
    }
  });

  it('take a step of more than an hour only when a later moment confirms it', () => {
    const normal = [rmc('100000', '230226'), rmc('100001', '230226')];
    const absurd = [rmc('100002', '100706'), zda('100002', '10', '07', '2006')];
    assert.deepEqual(told(...normal, ...absurd, rmc('100003', '230226')).slice(1), [
      '2026-02-23T10:00:01.000Z',
      '2026-02-23T10:00:01.000Z',
      '2026-02-23T10:00:01.000Z', // the same moment told twice confirms nothing
      '2026-02-23T10:00:03.000Z',
    ]);
    assert.deepEqual(
      told(...normal, rmc('180000', '230226'), gga('180000'), rmc('180001', '230226')).slice(2),
      ['2026-02-23T10:00:01.000Z', '2026-02-23T10:00:01.000Z', '2026-02-23T18:00:01.000Z'],
    );
    assert.equal(
      told(...normal, rmc('100002', '100706'), rmc('100003', '230226'), rmc('100004', '100706'))[4],
      '2026-02-23T10:00:03.000Z',
      'one absurd sentence now and then confirms no other, once a normal one came between',
    );
  });

  it('are found in a first look: the first that is confirmed, or the only one', () => {
    assert.equal(
      firstOf('boot\r\n', gga('100000'), rmc('100000', '230226'), rmc('100001', '230226')),
      '2026-02-23T10:00:00.000Z',
    );
    assert.equal(
      firstOf(rmc('000000', '100706'), rmc('100000', '230226'), rmc('100001', '230226')),
      '2026-02-23T10:00:00.000Z',
    );
    assert.equal(firstOf(rmc('100000', '230226'), 'x'), '2026-02-23T10:00:00.000Z');
    assert.equal(firstOf('x\n', gga('100000')), undefined);
    assert.equal(firstOf(''), undefined);
  });
});
