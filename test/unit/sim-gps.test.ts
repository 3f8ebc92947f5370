import assert from 'node:assert/strict';
import { LineReader } from '#cloud/signals/gps/line-reader.js';
import { PositionReader } from '#cloud/signals/gps/position-reader.js';
import { at, type Fix } from '#cloud/signals/gps/position.js';
import { GpsReceiver, nmeaText } from '#sim/vehicle/gps.js';
import type { GpsOptions } from '#sim/vehicle/gps-fixes.js';
import { UbloxReceiver } from '#sim/vehicle/ublox.js';
import { cutPackets } from '../support/ubx.js';

const startUs = 1_700_000_000_250_000;

function sentencesOf(options: Partial<GpsOptions> & { durationUs: number }): string[] {
  const text = [...nmeaText({ seed: 1, startUs, ...options })].join('');
  assert.ok(text.endsWith('\r\n'));
  return text.slice(0, -2).split('\r\n');
}

describe('the simulated GPS receiver', () => {
  it('says the same for the same seed, and something else for another', () => {
    const text = (seed: number): string => sentencesOf({ seed, durationUs: 5e6 }).join();
    assert.equal(text(5), text(5));
    assert.notEqual(text(5), text(6));
  });

  it('puts the right checksum behind each sentence', () => {
    for (const sentence of sentencesOf({ durationUs: 600e6 })) {
      const match = /^\$(.*)\*([0-9A-F]{2})$/.exec(sentence);
      assert.ok(match, sentence);
      const sum = Buffer.from(match[1]).reduce((xor, byte) => xor ^ byte, 0);
      assert.equal(Number.parseInt(match[2], 16), sum, sentence);
    }
  });

  for (const fixRateHz of [1, 5, 10]) {
    it(`gives ${fixRateHz} fixes a second at whole fractions of a second, each in four sentences`, () => {
      const sentences = sentencesOf({ durationUs: 30e6, fixRateHz });
      assert.equal(sentences.length, 4 * 30 * fixRateHz);
      const types = sentences.map((sentence) => sentence.slice(3, 6));
      for (let i = 0; i < types.length; i += 4) {
        assert.deepEqual(types.slice(i, i + 4), ['GGA', 'GSA', 'RMC', 'VTG']);
      }
      const fractions = new Set(sentences.filter((s) => s[3] === 'R').map((s) => s.slice(13, 16)));
      assert.equal(fractions.size, fixRateHz);
      assert.ok(fractions.has('.00'));
    });
  }

  it('moves as far from fix to fix as its speed says, near nowhere in the South Pacific', () => {
    const fixes = sentencesOf({ durationUs: 900e6, seed: 3 })
      .filter((sentence) => sentence.startsWith('$GPRMC'))
      .map((sentence) => sentence.split(','))
      .filter((fields) => fields[2] === 'A')
      .map((f) => ({
        time: Number(f[1].slice(0, 2)) * 3600 + Number(f[1].slice(2, 4)) * 60 + Number(f[1].slice(4)),
        latitude: -(Number(f[3].slice(0, 2)) + Number(f[3].slice(2)) / 60),
        longitude: -(Number(f[5].slice(0, 3)) + Number(f[5].slice(3)) / 60),
        speed: Number(f[7]) / 1.943844,
      }));
    assert.ok(fixes.length > 500);
    for (let i = 1; i < fixes.length; i++) {
      const [before, now] = [fixes[i - 1], fixes[i]];
      assert.ok(Math.abs(now.latitude + 48.9) < 1 && Math.abs(now.longitude + 123.4) < 1);
      if (now.time - before.time !== 1) continue; // a tunnel, or midnight
      const northM = (now.latitude - before.latitude) * 111_320;
      const eastM = (now.longitude - before.longitude) * 111_320 * Math.cos((now.latitude * Math.PI) / 180);
      assert.ok(Math.abs(Math.hypot(northM, eastM) - now.speed) < 4, `fix ${i}`);
    }
  });

  it('has no fix in a tunnel, and says so in the way of NMEA', () => {
    const void_ = sentencesOf({ durationUs: 600e6, seed: 7 }).filter((s) => /^\$GPRMC,[\d.]+,V/.test(s));
    assert.ok(void_.length > 0);
    for (const sentence of void_) assert.match(sentence, /^\$GPRMC,\d{6}\.\d\d,V,,,,,,,\d{6},,,N\*/);
  });

  for (const start of ['warm', 'hot', undefined] as const) {
    it(`tells the same drive in packets of u-blox as in sentences (start: ${start ?? 'long ago'})`, () => {
      const fixCount = 600;
      const firmware = start && { receiver: { start, canyons: [] } };
      const ublox = new UbloxReceiver({ seed: 7, startUs, firmware });
      const nmea = new GpsReceiver({ seed: 7, startUs, firmware });
      const fixesOf = (chunks: Uint8Array[]): Fix[] => {
        const fixes: Fix[] = [];
        const reader = new LineReader();
        const positions = new PositionReader((_timeUs, fix) => fixes.push(fix.slice()));
        for (const [i, chunk] of chunks.entries()) {
          const report = reader.read(chunk, 0, chunk.length, startUs);
          assert.ok(typeof report === 'object', 'a report');
          positions.take(report, startUs + i * 1000);
        }
        positions.finish();
        return fixes;
      };
      const packets: Uint8Array[] = [];
      const sentences: Uint8Array[] = [];
      for (let i = 0; i < fixCount; i++) {
        const { packets: own, text } = cutPackets(ublox.next(Infinity));
        packets.push(...own);
        const said = nmea.next(Infinity);
        assert.equal(text, said, 'the sentences between the packets');
        sentences.push(...said.split(/(?<=\n)/).map((line) => Buffer.from(line)));
      }
      const [own, theirs] = [fixesOf(packets), fixesOf(sentences)];
      assert.equal(own.length, fixCount);
      assert.equal(theirs.length, fixCount);
      assert.ok(own.some((fix) => fix[at.mode] === 1) && own.some((fix) => fix[at.mode] === 3));
      for (const [i, fix] of own.entries()) {
        const other = theirs[i];
        assert.equal(fix[at.mode], other[at.mode]);
        assert.equal(fix[at.time], other[at.time]);
        if (fix[at.mode] === 1) continue;
        for (const [name, tolerance] of [
          ['latitude', 2e-7],
          ['longitude', 3e-7],
          ['altitude', 0.051],
          ['speed', 0.002],
          ['track', 0.0051],
          ['hdop', 0.006],
          ['satellitesUsed', 0],
        ] as const) {
          assert.ok(Math.abs(fix[at[name]] - other[at[name]]) <= tolerance, `${name} of fix ${i}`);
        }
      }
    });
  }
});
