import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BusReport } from '#gateway/bus/bus-watch.js';
import { Cloud } from '../support/chaos/cloud.js';
import { bins, run } from '../support/chaos/process.js';
import { generatedRecordings } from '../support/chaos/recordings.js';
import { tempFolder } from '../support/temp-folder.js';
import { hasUml, runInUml, whyNoUml } from '../support/uml.js';

/** What the guest did (gateway-guest.ts). */
interface Sent {
  /** Frames of the simulated vehicle on the first interface. */
  bySimulator: number;
  /** Frames of the second one, which has a small buffer. */
  small: number;
  buses: BusReport[];
}

interface Gap {
  stream: string;
  cause?: string;
  records?: number;
}

const framesOf = (candump: string): string[] =>
  candump
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\([^)]*\) \S+ /, ''));

describe('fleetlog-gateway on a kernel with virtual CAN interfaces', function () {
  this.timeout(240_000);
  const [drive] = generatedRecordings(17, 3);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let cloud: Cloud;
  let sent: Sent;
  let reference: string;
  let events: string[];
  let gaps: Gap[];
  const exports: Record<string, string> = {};

  before(async function () {
    if (!hasUml) {
      console.log(`    skipped: ${whyNoUml}`);
      return this.skip();
    }
    folder = await tempFolder('uml');
    await writeFile(join(folder.path, 'drive.candump'), drive.bytes);
    const guest = fileURLToPath(new URL('../support/gateway-guest.js', import.meta.url));
    sent = JSON.parse(await runInUml(folder.path, guest, 220_000)) as Sent;
    reference = await readFile(join(folder.path, 'reference.candump'), 'utf8');
    // The vehicle is home: what its gateway holds goes to a cloud.
    cloud = new Cloud(join(folder.path, 'cloud'));
    await cloud.start();
    const config = join(folder.path, 'home.yaml');
    const url = `mqtt://127.0.0.1:${cloud.mqttPort}`;
    await writeFile(
      config,
      JSON.stringify({
        gateway: 'measured',
        data: join(folder.path, 'data'),
        uplink: { url },
        streams: {},
      }),
    );
    const drained = await run(bins.gateway, ['--config', config, '--until-drained']);
    assert.equal(drained.status, 0, drained.stderr);
    events = (await exported('events', 'ndjson'))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; attributes?: Record<string, string> })
      .filter(({ type }) => type.startsWith('can.'))
      .map(({ type, attributes = {} }) =>
        [attributes['stream'], type, attributes['state'] ?? attributes['clock']].filter(Boolean).join(' '),
      );
    await Promise.all(
      ['all', 'some', 'small', 'late'].map(
        async (stream) => (exports[stream] = await exported(stream, 'candump')),
      ),
    );
    const told = await cloud.fleetlog('gaps', '--json');
    assert.equal(told.status, 0, told.stdout.toString());
    ({ gaps } = JSON.parse(told.stdout.toString()) as { gaps: Gap[] });
  });
  after(async () => {
    await cloud?.command.kill();
    await folder?.[Symbol.asyncDispose]();
  });

  async function exported(stream: string, format: string): Promise<string> {
    const names = ['--gateway', 'measured', '--stream', stream, '--format', format, '--times', 'original'];
    const { status, stdout, stderr } = await cloud.fleetlog('export', ...names);
    assert.equal(status, 0, stderr);
    return stdout.toString();
  }

  const eventsOf = (stream: string): string[] =>
    events.filter((event) => event.startsWith(`${stream} `)).map((event) => event.slice(stream.length + 1));

  it('brings every frame as candump does, time included: classic, CAN FD, remote, errors', () => {
    // Debian 12's candump doesn't show raw DLCs.
    const ours = exports['all'].replace(/_[9A-F]$/gm, '').split('\n');
    const theirs = reference.split('\n');
    const differs = ours.findIndex((line, i) => line !== theirs[i]);
    assert.equal(ours[differs], theirs[differs], `line ${differs}`);
    assert.equal(ours.length, theirs.length);
    assert.deepEqual(
      framesOf(exports['all']).filter((frame) => /_[9A-F]$/.test(frame)),
      ['7A5#1122334455667788_F', '125#R8_E'],
    );
    // The generated drive, as canplayer sent it; that one sets a flag that says "CAN FD" once more.
    const played = framesOf(drive.bytes.toString());
    const heard = framesOf(reference).map((frame) =>
      frame.replace(/##([4-7])/, (_, flags) => `##${Number(flags) - 4}`),
    );
    assert.deepEqual(heard.slice(0, played.length), played);
    assert.ok(sent.bySimulator > 500);
    assert.equal(heard.length, played.length + sent.bySimulator + 7208);
    assert.ok(!gaps.some(({ stream }) => stream === 'all'));
    assert.deepEqual(eventsOf('all'), [
      'can.opened',
      'can.clock kernel',
      'can.state error-warning',
      'can.state bus-off',
    ]);
  });

  it('counts in its status what it heard, by bus', () => {
    const all = framesOf(reference);
    const errorFrames = all.filter((frame) => /^2\w{7}#/.test(frame)).length;
    assert.deepEqual(
      sent.buses.map((of) => ({ bus: of.bus, frames: of.frames, errorFrames: of.errorFrames })),
      [{ bus: 'vcan0', frames: all.length - errorFrames, errorFrames }],
    );
  });

  it('has the kernel pass on only the frames that are asked for', () => {
    const wanted = framesOf(reference).filter((frame) =>
      /^(12[0-9A-F]##?([^R]|$)|18FEF100#|2\w{7}#)/.test(frame),
    );
    assert.ok(wanted.length > 20);
    assert.deepEqual(framesOf(exports['some']), wanted);
  });

  it('records what the kernel had to drop: frames and dropped ones are what was sent', () => {
    const frames = framesOf(exports['small']);
    const lost = gaps.filter(({ stream }) => stream === 'small');
    const dropped = lost.reduce((sum, { records = 0 }) => sum + records, 0);
    assert.ok(dropped > 0);
    assert.equal(frames.length + dropped, sent.small);
    assert.deepEqual([...new Set(lost.map(({ cause }) => cause))], ['source-dropped']);
    const numbers = frames
      .filter((frame) => frame.startsWith('100#'))
      .map((frame) => Buffer.from(frame.slice(4), 'hex').readUInt32LE());
    assert.ok(numbers.every((number, i) => i === 0 || number > numbers[i - 1]));
  });

  it('waits for an interface that is not there yet, is down or removed, and goes on when it is back', () => {
    assert.deepEqual(framesOf(exports['late']), ['001#01', '002#02', '003#03']);
    assert.deepEqual(
      // An interface that isn't there, and one that is and isn't up yet, are both told.
      eventsOf('late').filter((event, i, all) => !event.startsWith('can.clock') && event !== all[i - 1]),
      ['can.down', 'can.opened', 'can.down', 'can.opened', 'can.down', 'can.opened'],
    );
  });
});
