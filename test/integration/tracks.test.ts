import assert from 'node:assert/strict';
import { zstdDecompressSync } from 'node:zlib';
import { McapStreamReader } from '@mcap/core';
import { sentence } from '../support/nmea.js';
import { append, lineBatch } from '../support/recorded.js';
import { serveCloud } from '../support/serving-cloud.js';

const startUs = 1_790_000_000_000_000; // 2026-09-21T14:13:20Z
const gateway = 'truck-17';

interface Point {
  timeUs: number;
  latitude: number;
  longitude: number;
}

/** A drive of `count` seconds to the north-east; without a fix from 30 s to 34 s. */
const drive = (count: number): (Point & { hasFix: boolean })[] =>
  Array.from({ length: count }, (_, i) => ({
    timeUs: startUs + i * 1_000_000,
    latitude: 48 + (i * 6) / 600_000,
    longitude: -11 - (i * 12) / 600_000,
    hasFix: i < 30 || i > 34,
  }));

function sentences({ timeUs, latitude, longitude, hasFix }: Point & { hasFix: boolean }): string[] {
  const clock = new Date(timeUs / 1000).toISOString().slice(11, 19).replaceAll(':', '');
  const angle = (value: number, digits: number): string => {
    const degrees = Math.floor(Math.abs(value));
    return `${String(degrees).padStart(digits, '0')}${((Math.abs(value) - degrees) * 60).toFixed(5).padStart(8, '0')}`;
  };
  const place = hasFix ? `${angle(latitude, 2)},N,${angle(longitude, 3)},W` : ',,,';
  const bodies = [
    `GPRMC,${clock}.00,${hasFix ? 'A' : 'V'},${place},10.0,45.0,210926,,,${hasFix ? 'A' : 'N'}`,
    `GPGGA,${clock}.00,${place},${hasFix ? 1 : 0},08,1.2,${hasFix ? '512.5' : ''},M,45.0,M,,`,
  ];
  return bodies.map((body) => `${sentence(body)}\r\n`);
}

/** What the format gives of the drive, which is in batches of 10 s. */
async function exported(format: string, count: number): Promise<Buffer> {
  await using cloud = await serveCloud();
  const points = drive(count);
  const batches: Uint8Array[] = [];
  for (let at = 0; at < count; at += 10) {
    const lines = points
      .slice(at, at + 10)
      .flatMap((point) => sentences(point).map((text, k) => ({ timeUs: point.timeUs + k, text })));
    batches.push(lineBatch(lines, { gateway, epoch: '1111111111111111', sequence: at / 10 }));
  }
  await append(cloud.log, batches);
  await cloud.index.caughtUp(AbortSignal.timeout(10_000));
  const answer = await fetch(`${cloud.api.url}/v1/export?gateway=${gateway}&stream=gps0&format=${format}`);
  assert.equal(answer.status, 200);
  return Buffer.from(await answer.bytes());
}

const withFix = (count: number): Point[] => drive(count).filter(({ hasFix }) => hasFix);

function assertPoints(found: readonly Point[], expected: readonly Point[]): void {
  assert.equal(found.length, expected.length);
  found.forEach((point, i) => {
    assert.equal(point.timeUs, expected[i].timeUs);
    assert.ok(Math.abs(point.latitude - expected[i].latitude) < 2e-7, `${point.latitude} at ${i}`);
    assert.ok(Math.abs(point.longitude - expected[i].longitude) < 2e-7, `${point.longitude} at ${i}`);
  });
}

describe('tracks', () => {
  it('are GPX with every position, in a segment for each time that there was a fix', async () => {
    const text = (await exported('gpx', 60)).toString();
    const segments = text.split('<trkseg>').slice(1);
    assert.equal(segments.length, 2);
    assert.equal(text.match(/<\/trkseg>/g)?.length, 2);
    const points = [
      ...text.matchAll(/<trkpt lat="(\S+)" lon="(\S+)"><ele>512.5<\/ele><time>(\S+)<\/time><sat>8<\/sat>/g),
    ].map(([, latitude, longitude, time]) => ({
      timeUs: Date.parse(time) * 1000,
      latitude: Number(latitude),
      longitude: Number(longitude),
    }));
    assertPoints(points, withFix(60));
    assert.match(text, /^<\?xml .*<trk><name>truck-17 gps0<\/name>.*<\/trk>\n<\/gpx>\n$/s);
  });

  it('are GeoJSON in lines of at most 1,000 points that touch', async () => {
    const { type, features } = JSON.parse((await exported('geojson', 1300)).toString()) as {
      type: string;
      features: {
        geometry: { type: string; coordinates: number[][] };
        properties: { gateway: string; coordTimes: string[]; speeds: number[] };
      }[];
    };
    assert.equal(type, 'FeatureCollection');
    assert.deepEqual(
      features.map(({ geometry }) => [geometry.type, geometry.coordinates.length]),
      [
        ['LineString', 30],
        ['LineString', 1000],
        ['LineString', 266],
      ],
    );
    assert.deepEqual(features[2].geometry.coordinates[0], features[1].geometry.coordinates.at(-1));
    const points = features.flatMap(({ geometry, properties }, k) =>
      geometry.coordinates
        .map(([longitude, latitude], i) => ({
          timeUs: Date.parse(properties.coordTimes[i]) * 1000,
          latitude,
          longitude,
        }))
        .slice(k === 2 ? 1 : 0),
    );
    assertPoints(points, withFix(1300));
    assert.ok(
      features.every(({ properties }) => properties.speeds.every((speed) => Math.abs(speed - 5.144) < 0.01)),
    );
  });

  it('are in MCAP as foxglove.LocationFix beside the lines that they come from', async () => {
    const reader = new McapStreamReader({
      decompressHandlers: { zstd: (bytes) => zstdDecompressSync(bytes) },
    });
    reader.append(await exported('mcap', 60));
    const schemas = new Map<number, string>();
    const topics = new Map<number, { topic: string; schema: string }>();
    const points: Point[] = [];
    let lines = 0;
    for (let record = reader.nextRecord(); record; record = reader.nextRecord()) {
      if (record.type === 'Schema') schemas.set(record.id, record.name);
      if (record.type === 'Channel') {
        topics.set(record.id, { topic: record.topic, schema: schemas.get(record.schemaId)! });
      }
      if (record.type !== 'Message') continue;
      const { topic, schema } = topics.get(record.channelId)!;
      if (schema !== 'foxglove.LocationFix') {
        lines++;
        continue;
      }
      assert.equal(topic, '/truck-17/gps0/fix');
      const fix = JSON.parse(Buffer.from(record.data).toString()) as {
        timestamp: { sec: number; nsec: number };
        latitude: number;
        longitude: number;
        altitude: number;
        position_covariance: number[];
      };
      assert.equal(fix.altitude, 512.5);
      assert.equal(fix.position_covariance.length, 9);
      assert.equal(record.logTime, BigInt(fix.timestamp.sec) * 1_000_000_000n + BigInt(fix.timestamp.nsec));
      points.push({ ...fix, timeUs: Number(record.logTime / 1000n) });
    }
    assert.equal(lines, 120);
    assertPoints(points, withFix(60));
  });
});
