import assert from 'node:assert/strict';
import { encodeLines, encodeSamples, Samples, TextLines, type EncodedPayload } from '@fleetlog/shared/batch';
import type { Signals } from '#cloud/api/signal-schemas.js';
import { append } from '../support/recorded.js';
import { seal } from '../support/batches.js';
import { sentence } from '../support/nmea.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';
import { navPvt } from '../support/ubx.js';

const gateway = 'truck-17';
const startUs = Date.UTC(2026, 1, 23, 10) * 1000;

/** A record every 100 ms, from the `first` on. */
function lines(first: number, ...records: (string | Uint8Array)[]): EncodedPayload {
  const held = new TextLines();
  for (const [i, record] of records.entries()) {
    const bytes = typeof record === 'string' ? Buffer.from(`${record}\r\n`) : record;
    held.append(startUs + (first + i) * 100_000, bytes, 0, bytes.length);
  }
  return encodeLines(held);
}

function imu(): EncodedPayload {
  const samples = new Samples([
    { name: 'accel_x', unit: 'm/s²', type: 'i16', scale: 0.01, offset: 1 },
    { name: 'count', unit: '', type: 'u64' },
  ]);
  for (let i = 0; i < 3; i++) {
    const at = samples.append(startUs + i * 100_000);
    samples.columns[0][at] = 100 * i;
    samples.columns[1][at] = BigInt(i);
  }
  return encodeSamples(samples);
}

const rmc = (second: number): string =>
  sentence(`GPRMC,10000${second},A,4807.038,N,01131.500,W,010.0,084.4,230226,003.1,W`);
const gga = (second: number): string =>
  sentence(`GPGGA,10000${second},4807.038,N,01131.500,W,1,08,0.9,545.4,M,46.9,M,,`);

async function recorded(): Promise<ServingCloud> {
  const cloud = await serveCloud();
  await append(cloud.log, [
    // An epoch goes on in the next batch.
    seal(lines(0, gga(0), rmc(0), gga(1)), { stream: 'gps0', sequence: 0 }),
    seal(lines(3, rmc(1), rmc(2).replace('010.0', '020.0')), { stream: 'gps0', sequence: 1 }),
    seal(lines(0, navPvt({ timeMs: startUs / 1000, latitude: 48.5 })), { stream: 'gps1' }),
    seal(lines(0, '{"class":"TPV","mode":3,"lat":48.25,"lon":11.5,"speed":2}'), { stream: 'gpsd' }),
    seal(lines(0, 'the door was open', 'and is closed'), { stream: 'notes' }),
    seal(imu(), { stream: 'imu' }),
  ]);
  return cloud;
}

async function query({ api }: ServingCloud, parameters: string): Promise<string[]> {
  const response = await fetch(`${api.url}/v1/query?gateway=${gateway}&${parameters}`);
  const text = await response.text();
  return text.trimEnd().replaceAll('2026-02-23T10:00:0', '').replaceAll('00000Z', '').split('\n');
}

describe('signals that need no database', () => {
  it('are listed by what the streams were found to hold', async () => {
    await using cloud = await recorded();
    const response = await fetch(`${cloud.api.url}/v1/signals?gateway=${gateway}`);
    const { signals, receivers } = (await response.json()) as Signals;
    const names = signals.map(({ name }) => name);
    for (const name of ['gps0/position/latitude', 'gps0/RMC/speed', 'gps1/NAV-PVT/climb', 'gpsd/TPV/lat']) {
      assert.ok(names.includes(name), name);
    }
    assert.ok(!names.some((name) => name.startsWith('notes/') || name.startsWith('gps0/NAV-PVT')));
    assert.deepEqual(
      signals.filter(({ name }) => name.startsWith('imu/')).map(({ name, unit }) => [name, unit]),
      [
        ['imu/accel_x', 'm/s²'],
        ['imu/count', ''],
      ],
    );
    assert.deepEqual(receivers, [
      { stream: 'gps0', reports: 4, wrongChecksums: 1, types: ['GGA', 'RMC'] },
      { stream: 'gps1', reports: 1, wrongChecksums: 0, types: ['NAV-PVT'] },
      { stream: 'gpsd', reports: 1, wrongChecksums: 0, types: ['TPV'] },
    ]);
  });

  it('are queried like those of frames, across batches and beside one another', async () => {
    await using cloud = await recorded();
    assert.deepEqual(
      await query(
        cloud,
        'signal=gps0/position/altitude&signal=gps0/RMC/speed&signal=gps1/position/latitude&signal=gpsd/position/speed&signal=imu/accel_x&signal=imu/count',
      ),
      [
        'time,gps0/position/altitude,gps0/RMC/speed,gps1/position/latitude,gpsd/position/speed,imu/accel_x,imu/count',
        '0.0,545.4,,48.5,2,1,0',
        '0.1,,5.144444444444445,,,2,1',
        '0.2,545.4,,,,3,2',
        '0.3,,5.144444444444445,,,,',
      ],
    );
    assert.deepEqual(await query(cloud, 'signal=gps1/position/mode&signal=gps0/RMC/valid&labels=true'), [
      'time,gps1/position/mode,gps0/RMC/valid',
      '0.0,3D,',
      '0.1,,valid',
      '0.3,,valid',
    ]);
  });
});
