import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { decodeLines, decodeSamples, type Samples } from '@fleetlog/shared/batch';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { systemClock, type Clock } from '@fleetlog/shared/util';
import { at } from '#cloud/signals/gps/position.js';
import type { TimeKeeper } from '#gateway/time/time-keeper.js';
import { GpsReceiver } from '#sim/vehicle/gps.js';
import { Imu, IMU_PACKET_BYTES } from '#sim/vehicle/imu.js';
import { sent } from '../support/batches.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { imuPacket } from '../support/imu-packet.js';
import { captureLog } from '../support/log-capture.js';
import { keeperOn } from '../support/keeper.js';
import { decodePositions } from '../support/positions.js';
import { hasSocat, SerialLine, whyNoSocat } from '../support/serial-line.js';
import { sourceOf } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const dayUs = 86_400_000_000;
/** What a machine under load may take from a packet's writing to its reading. */
const busyUs = 5e6;

/** A clock's methods, to be spread. */
const bound = (clock: Clock): Clock => ({
  nowUs: () => clock.nowUs(),
  monotonicUs: () => clock.monotonicUs(),
  sleep: (ms, signal) => clock.sleep(ms, signal),
});

describe('serial lines', function () {
  before(function () {
    if (hasSocat) return;
    console.log(`    skipped: ${whyNoSocat}`);
    this.skip();
  });

  const stops: AbortController[] = [];
  const runs: Promise<void>[] = [];
  afterEach(async () => {
    for (const stop of stops.splice(0)) stop.abort();
    await Promise.all(runs.splice(0));
  });

  function start(config: object, parts: { clock?: Clock; keeper?: TimeKeeper } = {}) {
    const sink = new CollectingSink();
    const logger = captureLog();
    const stop = new AbortController();
    const source = sourceOf(
      { source: 'serial', batch: { linger: '50ms' }, ...config },
      { clock: systemClock, logger, ...parts },
    );
    const ended = source.run(sink, undefined, stop.signal);
    stops.push(stop);
    runs.push(ended.catch(() => undefined));
    return { sink, source, stop, ended, log: logger.entries };
  }

  /** Bytes that come before a port is open are not the gateway's. */
  async function opened(config: object) {
    const started = start(config);
    await until('the port is open', () => started.log.some(({ message }) => message.startsWith('Reading ')));
    return started;
  }

  const samplesOf = (sink: CollectingSink): Samples[] =>
    sink.batches
      .filter(({ payload }) => payload.kind === 'samples')
      .map(({ payload }) => decodeSamples(sent(payload)));
  const column = (sink: CollectingSink, channel: number): number[] =>
    samplesOf(sink).flatMap(({ columns, count }) => Array.from(columns[channel].subarray(0, count), Number));

  it('brings each packet of a sensor at 1 kHz, evenly spaced', async () => {
    await using folder = await tempFolder('serial');
    await using line = new SerialLine(folder.path);
    await line.plug();
    const { sink, source, stop, ended } = await opened({
      format: 'packets',
      path: line.port,
      baud: 921_600,
      packet: imuPacket,
    });
    const imu = new Imu({ seed: 1, rateHz: 1000 });
    const beganUs = systemClock.monotonicUs();
    while (source.counters.records < 6000) {
      await line.write(imu.next(systemClock.monotonicUs() - beganUs));
      await systemClock.sleep(3);
    }
    stop.abort();
    await ended;
    const counts = column(sink, 1);
    assert.deepEqual(
      counts,
      Array.from({ length: counts.length }, (_, i) => i),
    );
    assert.equal(source.counters.malformed, 0);
    assert.equal(source.counters.noiseBytes ?? 0, 0);
    const times = samplesOf(sink).flatMap((samples) =>
      Array.from({ length: samples.count }, (_, i) => samples.timeUs(i)),
    );
    // In its first seconds the fit still looks for the packets that waited least.
    const settled = times.slice(4000);
    const uneven = settled.slice(1).map((time, i) => Math.abs(time - settled[i] - 1000));
    const most = uneven.reduce((one, other) => Math.max(one, other), 0);
    assert.ok(uneven.length > 1500 && most < 60, `${most} µs`);
    const ends = Math.abs(times.at(-1)! - systemClock.nowUs());
    assert.ok(ends < 2_000_000, `the last sample is ${ends} µs from now`);
    assert.ok(Math.abs((samplesOf(sink)[0].columns[4][0] as number) - 2048) < 400, 'it feels gravity');
  });

  it('loses no good packet to noise, and keeps the noise where asked', async () => {
    await using folder = await tempFolder('serial');
    await using line = new SerialLine(folder.path);
    await line.plug();
    const packet = { ...imuPacket, discards: true };
    const { sink, source, stop, ended } = await opened({ format: 'packets', path: line.port, packet });
    const imu = new Imu({ seed: 2, rateHz: 1000 });
    const good = 300;
    const noise = Buffer.from([1, 2, 3, 0, 77, 0]);
    for (let i = 1; i <= good; i++)
      await line.write(Buffer.concat([imu.next(i * 1000), i % 10 === 0 ? noise : Buffer.alloc(0)]));
    await until('all packets', () => source.counters.records === good);
    await until('all noise', () => source.counters.noiseBytes === 30 * noise.length);
    stop.abort();
    await ended;
    assert.deepEqual(
      column(sink, 1),
      Array.from({ length: good }, (_, i) => i),
    );
    const kept = sink.batches
      .filter(({ payload }) => payload.kind === 'lines')
      .map(({ payload }) => decodeLines(sent(payload)));
    assert.equal(
      Buffer.concat(kept.map((lines) => lines.bytes.subarray(0, lines.textBytes))).toString('hex'),
      noise.toString('hex').repeat(30),
    );
  });

  it('brings all of a line that is never silent', async () => {
    await using folder = await tempFolder('serial');
    await using line = new SerialLine(folder.path);
    await line.plug();
    const { source } = await opened({
      format: 'packets',
      path: line.port,
      baud: 2_000_000,
      packet: imuPacket,
    });
    const imu = new Imu({ seed: 3, rateHz: 1000 });
    const count = 20_000; // 640 KB: three seconds of 2 Mbit/s, as fast as the kernel takes it
    for (let i = 100; i <= count; i += 100) await line.write(imu.next(i * 1000));
    await until('all packets', () => source.counters.records === count, 30_000);
    assert.equal(source.counters.noiseBytes ?? 0, 0);
  });

  it('notices a pulled plug, and goes on when it is back', async () => {
    await using folder = await tempFolder('serial');
    await using line = new SerialLine(folder.path);
    await line.plug();
    const first = await opened({ format: 'lines', path: line.port, baud: 9600 });
    const gps = new GpsReceiver({ seed: 4, startUs: 1_700_000_000_000_000, fixRateHz: 10 });
    const text = (fixes: number): string => Array.from({ length: fixes }, () => gps.next(Infinity)).join('');
    const before = text(5);
    await line.write(Buffer.from(before));
    await until('the lines', () => first.sink.text() === before);
    await line.unplug();
    await assert.rejects(first.ended, (error) => isFleetlogError(error, 'FLEETLOG_SOURCE'));
    const gone = start({ format: 'lines', path: line.port, baud: 9600 });
    await assert.rejects(gone.ended, /There is no serial port .*plug the device in/);
    await line.plug();
    const second = await opened({ format: 'lines', path: line.port, baud: 9600 });
    const after = text(5);
    await line.write(Buffer.from(after));
    await until('the lines', () => second.sink.text() === after);
  });

  it('brings what a u-blox receiver sends, packets and sentences, and lets it set the clock', async () => {
    await using folder = await tempFolder('serial');
    const sim = resolve('firmware-sim/dist/cli/bin.js');
    // The receiver says the true time; here the system's clock is a day behind it.
    const late: Clock = { ...bound(systemClock), nowUs: () => systemClock.nowUs() - dayUs };
    const keeper = keeperOn(late);
    const command = `${process.execPath} ${sim} stream --format ubx --fix-rate 10 --seed 3`;
    await using line = new SerialLine(folder.path, command);
    await line.plug();
    const { sink, source } = start(
      { format: 'ubx', path: line.port, clock: true, origin: 'simulated' },
      { clock: late, keeper },
    );
    await until('the clock is set', () => keeper.read().state === 'synced', 30_000);
    await until('packets', () => (decodePositions(sink).types['NAV-PVT'] ?? 0) >= 20, 30_000);
    const { fixes, types } = decodePositions(sink);
    assert.ok(types['GGA'] >= 19 && types['NAV-DOP'] >= 19, JSON.stringify(types));
    assert.ok(fixes.every((fix) => fix[at.mode] === 1 || Math.abs(fix[at.latitude] + 48.9) < 1));
    const apartUs = Math.abs(keeper.nowUs() - systemClock.nowUs());
    assert.ok(apartUs <= keeper.read().uncertaintyUs + busyUs, `${apartUs} µs from the truth`);
    assert.equal(source.counters.malformed, 0);
  });

  it('opens a port anew that is silent for too long', async () => {
    await using folder = await tempFolder('serial');
    await using line = new SerialLine(folder.path);
    await line.plug();
    const { ended } = start({ format: 'lines', path: line.port, silence: '1s' });
    await assert.rejects(ended, /Nothing came from .* for 1 s/);
  });

  it('refuses a port that is in use, and what is no port', async () => {
    await using folder = await tempFolder('serial');
    await using line = new SerialLine(folder.path);
    await line.plug();
    await opened({ format: 'lines', path: line.port });
    await assert.rejects(
      start({ format: 'lines', path: line.port }).ended,
      /Another stream of this gateway reads \/dev\/pts\/\d+/,
    );
    await mkdir(`${folder.path}/folder`);
    await assert.rejects(start({ format: 'lines', path: `${folder.path}/folder` }).ended, (error) =>
      isFleetlogError(error, 'FLEETLOG_SOURCE'),
    );
  });

  it('says that the baud rate may be wrong where bytes come and no text is among them', async () => {
    await using folder = await tempFolder('serial');
    await using line = new SerialLine(folder.path);
    await line.plug();
    const { log, sink, source } = await opened({ format: 'lines', path: line.port, baud: 4800 });
    await line.write(Buffer.from('$GPGSV,3,1,11\r\n'.repeat(200)));
    await until('the lines', () => source.counters.records === 200);
    assert.ok(!log.some(({ message }) => /baud rate/.test(message)));
    const noise = Uint8Array.from({ length: 4096 }, (_, i) => (i % 64 === 63 ? 10 : 128 + ((i * 7) % 128)));
    await line.write(noise);
    await until('a warning', () =>
      log.some(({ message }) => /4800 may be the wrong baud rate/.test(message)),
    );
    await until('the noise, which is kept', () => sink.recordCount === 264);
  });

  it('says so of a u-blox receiver, too, where packets were expected', async () => {
    await using folder = await tempFolder('serial');
    await using line = new SerialLine(folder.path);
    await line.plug();
    const { log } = await opened({ format: 'ubx', path: line.port, baud: 38_400 });
    const told = (): boolean =>
      log.some(({ message }) => /is no packet of u-blox's and no text; 38400 may be the wrong/.test(message));
    await line.write(Buffer.from('$GPGSV,3,1,11\r\n'.repeat(200)));
    await systemClock.sleep(200);
    assert.ok(!told());
    const noise = Uint8Array.from({ length: 1024 }, (_, i) => 128 + ((i * 7) % 128));
    await until('a warning', async () => {
      await line.write(noise);
      return told();
    });
  });

  it('says that something is wrong where bytes come and no packet is among them', async () => {
    await using folder = await tempFolder('serial');
    await using line = new SerialLine(folder.path);
    await line.plug();
    const { log } = await opened({
      format: 'packets',
      path: line.port,
      packet: { ...imuPacket, checksum: 'crc32' },
    });
    await line.write(new Imu({ seed: 5, rateHz: 1000 }).next(500 * 1000));
    await until('a warning', () =>
      log.some(({ message }) => /compare baud rate, framing and checksum/.test(message)),
    );
    assert.ok(IMU_PACKET_BYTES * 500 > 4096);
  });
});
