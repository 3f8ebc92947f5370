import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { parseTime } from '#cloud/api/time.js';
import { isoMicros } from '#cloud/export/iso-time.js';

const nowUs = 1_790_000_000_123_456;

describe('a time as people write it', () => {
  const times: [text: string, timeUs: number][] = [
    ['1970-01-01', 0],
    ['2017-07-14T02:40Z', 1_500_000_000_000_000],
    ['2017-07-14T02:40:00.123456Z', 1_500_000_000_123_456],
    ['2017-07-14 02:40:00,5', 1_500_000_000_500_000],
    ['2017-07-14T02:40:00.1234569z', 1_500_000_000_123_456],
    ['2017-07-14T04:40:00+02:00', 1_500_000_000_000_000],
    ['2017-07-13T21:10:00-0530', 1_500_000_000_000_000],
    ['2016-02-29', 1_456_704_000_000_000],
    ['0099-01-01', -59_042_995_200_000_000],
    ['1500000000', 1_500_000_000_000_000],
    ['1510761600.123457', 1_510_761_600_123_457],
    ['0.000001', 1],
    ['-1.5', -1_500_000],
    ['now', nowUs],
    ['-15m', nowUs - 900_000_000],
    ['-1.5h', nowUs - 5_400_000_000],
    ['-250ms', nowUs - 250_000],
    ['-2d', nowUs - 172_800_000_000],
    ['-1w', nowUs - 604_800_000_000],
    ['+30s', nowUs + 30_000_000],
    ['now-10min', nowUs - 600_000_000],
  ];
  for (const [text, timeUs] of times) {
    it(`${text} is understood to the µs`, () => assert.equal(parseTime(text, nowUs), timeUs));
  }

  const mistakes = [
    '',
    'yesterday',
    '15m',
    '-15y',
    '2017-02-29',
    '2017-13-01',
    '2017-07-14T25:00',
    '2017-07-14T02:60Z',
    '2017-07-14T02:40:00+99:00',
    '17-07-14',
    '2017-7-4',
    '1e9',
    '0x10',
    ' 1',
    '1 ',
    '١٢٣',
    'now-',
    'nowZ',
  ];
  for (const text of mistakes) {
    it(`"${text}" is refused with what to write instead`, () => {
      assert.throws(
        () => parseTime(text, nowUs),
        (error) => isFleetlogError(error, 'FLEETLOG_USAGE') && error.message.includes('-15m or now'),
      );
    });
  }

  it('is read back to the µs from what is printed', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 52), max: 2 ** 52 }), (timeUs) => {
        assert.equal(parseTime(isoMicros(timeUs), nowUs), timeUs);
      }),
    );
  });
});
