import assert from 'node:assert/strict';
import { existsSync, lstatSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@fleetlog/shared/util';
import { at } from '#cloud/signals/gps/position.js';
import { bins, Command, run } from '../support/chaos/process.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { imuPacket } from '../support/imu-packet.js';
import { captureLog } from '../support/log-capture.js';
import { decodePositions } from '../support/positions.js';
import { sourceOf } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

/** Lets a simulated device speak on a port, and the gateway's own source hear it, until there is enough. */
async function heard(
  device: string[],
  config: (port: string) => object,
  isEnough: (sink: CollectingSink) => boolean,
): Promise<{ sink: CollectingSink; malformed: number; device: Command }> {
  const command = new Command('device', bins.sim, device);
  const sink = new CollectingSink();
  const stop = new AbortController();
  command.start();
  try {
    const port = await until('the port is there', () => /^ready (\S+)$/m.exec(command.log)?.[1], 30_000);
    const source = sourceOf(
      { batch: { linger: '50ms' }, ...config(port) },
      { clock: systemClock, logger: captureLog() },
    );
    const ended = source.run(sink, undefined, stop.signal);
    ended.catch(() => undefined);
    await until('there is enough', () => isEnough(sink), 60_000);
    stop.abort();
    await ended.catch(() => undefined);
    return { sink, malformed: source.counters.malformed ?? 0, device: command };
  } finally {
    stop.abort();
    await command.stop();
  }
}

const places = (sink: CollectingSink) =>
  decodePositions(sink).fixes.filter((fix) => !Number.isNaN(fix[at.latitude]));

describe('a simulated device on a port', function () {
  this.timeout(120_000);

  it('is a GPS receiver on a serial line, whose sentences and packets the gateway reads, and leaves no port behind', async () => {
    await using folder = await tempFolder('ports');
    for (const [format, path] of [
      ['nmea', join(folder.path, 'nmea')],
      ['ubx', join(folder.path, 'ubx')],
    ]) {
      const { sink, device } = await heard(
        ['stream', '--format', format, '--fix-rate', '10', '--to', `pty:${path}`],
        (port) => ({ source: 'serial', path: port, baud: 9600, format: format === 'ubx' ? 'ubx' : 'lines' }),
        (one) => places(one).length >= 10,
      );
      for (const place of places(sink)) assert.ok(Math.abs(place[at.latitude] + 48.88) < 0.1);
      assert.equal(device.exitStatus, 0, device.log);
      assert.equal(existsSync(path), false);
      assert.equal(lstatSync(path, { throwIfNoEntry: false }), undefined);
    }
  });

  it('is an inertial sensor whose packets come one after the other', async () => {
    await using folder = await tempFolder('ports');
    const { malformed } = await heard(
      ['stream', '--format', 'imu', '--sensor-rate', '200', '--to', `pty:${join(folder.path, 'imu')}`],
      (path) => ({ source: 'serial', path, baud: 921_600, format: 'packets', packet: imuPacket }),
      (one) => one.recordCount >= 400,
    );
    assert.ok(malformed <= 1, 'at most the packet that was under way when the port was opened');
  });

  it('is a CAN adapter that is set up by the gateway and tells the frames of a bus', async () => {
    await using folder = await tempFolder('ports');
    const { sink, malformed } = await heard(
      ['slcan', '--seed', '7', '--to', `pty:${join(folder.path, 'slcan')}`],
      (path) => ({ source: 'slcan', path, bitrate: 500_000 }),
      (one) => one.recordCount >= 1000,
    );
    assert.match(sink.text(), /^\(\d+\.\d{6}\) can0 [0-9A-F]{3}#/);
    assert.equal(malformed, 0);
  });

  it('is a gpsd that the gateway asks for reports and sentences', async () => {
    const { sink } = await heard(
      ['stream', '--format', 'nmea', '--fix-rate', '5', '--to', 'gpsd:127.0.0.1:0'],
      (host) => ({ source: 'gpsd', host }),
      (one) => places(one).length >= 10,
    );
    const text = sink.text();
    assert.match(text, /^\{"class":"VERSION"/);
    assert.match(text, /"class":"WATCH"/);
    assert.match(text, /"class":"TPV"[^\n]*"mode":3/);
    assert.match(text, /^\$GPRMC,/m);
    for (const place of places(sink)) assert.ok(Math.abs(place[at.latitude] + 48.88) < 0.1);
  });

  it('says in a sentence why a port can not be', async () => {
    await using folder = await tempFolder('ports');
    const taken = join(folder.path, 'taken');
    await writeFile(taken, 'mine');
    const stream = (format: string, to: string) => run(bins.sim, ['stream', '--format', format, '--to', to]);
    for (const [format, to, status, complaint] of [
      ['nmea', `pty:${taken}`, 2, /can't be made a serial port \(EEXIST\)/],
      ['nmea', 'usb:1', 2, /--to must be pty:PATH/],
      ['nmea', 'gpsd:nowhere', 2, /must be like gpsd:/],
      ['imu', 'gpsd:127.0.0.1:0', 2, /needs --format nmea, not imu/],
      ['ubx', 'can:vcan0', 2, /needs --format candump, not ubx/],
      ['candump', 'can:none', 1, /no CAN sockets .*modprobe|no CAN interface none: sudo ip link add/],
    ] as const) {
      const { status: code, stderr } = await stream(format, to);
      assert.match(stderr, complaint);
      assert.equal(code, status, stderr);
    }
    const adapter = await run(bins.sim, ['slcan', '--to', 'gpsd:127.0.0.1:0']);
    assert.match(adapter.stderr, /needs a serial port/);
  });
});
