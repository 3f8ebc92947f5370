import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(import.meta.resolve('#sim/cli/bin.js'));

async function run(...args: string[]): Promise<{ status: number; stderr: string; stdout: string }> {
  const child = spawn(process.execPath, [bin, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number]>,
  ]);
  return { status, stdout, stderr };
}

describe('fleetlog-sim', () => {
  let folder: string;
  before(async () => (folder = await mkdtemp(join(tmpdir(), 'fleetlog-sim-'))));
  after(() => rm(folder, { recursive: true }));

  it('drive writes the same recordings for the same seed and start', async () => {
    const files = ['a.candump', 'a.nmea', 'b.candump', 'b.nmea'].map((name) => join(folder, name));
    for (const [can, gps] of [files.slice(0, 2), files.slice(2)]) {
      const args = [
        '--seed',
        '3',
        '--start',
        '2026-03-01T08:00:00Z',
        '--duration',
        '2s',
        '--can',
        can,
        '--gps',
        gps,
      ];
      assert.deepEqual(await run('drive', ...args), { status: 0, stdout: '', stderr: '' });
    }
    const [canA, gpsA, canB, gpsB] = await Promise.all(files.map((file) => readFile(file, 'utf8')));
    assert.equal(canA, canB);
    assert.equal(gpsA, gpsB);
    assert.match(canA, /^\(1772352000\.\d{6}\) can0 /);
    assert.match(gpsA, /^\$GPGGA,080000\.00,/);
    assert.ok(canA.split('\n').length > 3000);
  });

  it('drive records any kind of vehicle', async () => {
    const can = join(folder, 'truck.candump');
    const args = ['--kind', 'truck', '--duration', '2s', '--can', can];
    assert.deepEqual(await run('drive', ...args), { status: 0, stdout: '', stderr: '' });
    assert.match(await readFile(can, 'utf8'), / can0 0CF00400#/, 'J1939: engine speed');
  });

  it('stream keeps pace with the clock, and stops at a signal with whole lines', async () => {
    const child = spawn(process.execPath, [bin, 'stream', '--format', 'candump', '--seed', '2']);
    const beganMs = Date.now();
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      const seconds = /\((\d+\.\d+)\)[^\n]*\n$/.exec(output)?.[1];
      // Once: a second signal ends it at once.
      if (!child.killed && seconds && Number(seconds) * 1000 > beganMs + 1500) child.kill('SIGTERM');
    });
    const [status] = (await once(child, 'close')) as [number];
    assert.equal(status, 0);
    const lines = output.split('\n');
    assert.equal(lines.pop(), '');
    const times = lines.map((line) => Number(/^\((\d+\.\d+)\)/.exec(line)?.[1]) * 1000);
    const endedMs = Date.now();
    assert.ok(times[0] >= beganMs && (times.at(-1) ?? Infinity) <= endedMs, 'times are of now');
    assert.ok(lines.length / ((times.at(-1) ?? 0) - times[0]) > 1.5, `${lines.length} frames`);
  });

  it('stream speaks as a kind of vehicle on its road, which has tunnels', async () => {
    const says = async (wanted: RegExp, ...args: string[]): Promise<void> => {
      const child = spawn(process.execPath, [bin, 'stream', '--kind', 'truck', '--seed', '17', ...args]);
      const closed = once(child, 'close');
      let said = '';
      for await (const text of child.stdout.setEncoding('latin1')) {
        said += text;
        if (wanted.test(said)) child.kill('SIGTERM');
      }
      await closed;
      assert.match(said, wanted);
    };
    await says(/can0 0CF00400#/, '--format', 'candump'); // EEC1 of J1939
    await says(/GPRMC,[\d.]+,A,/, '--format', 'nmea');
    await says(/GPRMC,[\d.]+,V,/, '--format', 'nmea', '--tunnel', '0m-50m', '--lap', '500m');
  });

  it('stream ends quietly when nobody reads any more', async () => {
    const child = spawn(process.execPath, [bin, 'stream', '--format', 'nmea', '--fix-rate', '10']);
    await once(child.stdout, 'data');
    child.stdout.destroy();
    const [stderr, [status]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  });

  for (const [args, sentence] of [
    [['drive'], /--can FILE/],
    [['drive', '--can', '/nowhere/x'], /\/nowhere\/x can't be written/],
    [['drive', '--can', 'x', '--duration', '60'], /60s/],
    [['drive', '--can', 'x', '--kind', 'truck', '--rate', '2'], /--kind generic/],
    [['drive', '--can', 'x', '--start', 'later'], /Unix seconds/],
    [['drive', '--can', 'x', '--seed', '1.5'], /whole number/],
    [['stream'], /--format/],
    [['stream', '--format', 'candump', '--kind', 'ship'], /Allowed choices are generic, /],
    [['stream', '--format', 'imu', '--kind', 'truck'], /--kind generic/],
    [['stream', '--format', 'nmea', '--tunnel', '1m-2m'], /--kind with a road/],
    [['stream', '--format', 'nmea', '--kind', 'truck', '--tunnel', '9m-2m'], /such as 250m-450m/],
    [['stream', '--format', 'mp3'], /candump, nmea, ubx or imu/],
    [['stream', '--format', 'candump', '--rate', '99'], /0\.1 to 4/],
    [['stream', '--format', 'candump', '--interface', 'a b'], /named like can0/],
  ] as [string[], RegExp][]) {
    it(`refuses "${args.join(' ')}" with a sentence and status 2`, async () => {
      const { status, stderr } = await run(...args);
      assert.equal(status, 2, stderr);
      assert.match(stderr, sentence);
      assert.doesNotMatch(stderr, /\n {4}at /);
    });
  }
});
