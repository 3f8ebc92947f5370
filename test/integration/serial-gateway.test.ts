import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, chown, mkdir, realpath, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { GpsReceiver } from '#sim/vehicle/gps.js';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway } from '../support/chaos/gateway.js';
import { bins, run } from '../support/chaos/process.js';
import { hasSocat, SerialLine, whyNoSocat } from '../support/serial-line.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

/** Each takes a second or two; attempts to open a port that fail become rarer. */
const PATIENCE_MS = 60_000;
/** Debian's numbers. */
const NOBODY = 65_534;
const DIALOUT = 20;
const asNobody = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];

/** Whether a user without rights can run the product here. */
function whyNotNobody(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can be somebody else';
  const [command, ...parameters] = [...asNobody, process.execPath, bins.gateway, '--version'];
  if (spawnSync(command, parameters).status === 0) return undefined;
  return 'no setpriv (apt-get install util-linux), or this folder is closed to others';
}

async function line(folder: string, name: string): Promise<SerialLine> {
  await mkdir(join(folder, name));
  const made = new SerialLine(join(folder, name));
  await made.plug();
  return made;
}

const lines = (stream: string, path: string): Record<string, object> => ({
  [stream]: { source: 'serial', path, baud: 9600, format: 'lines', batch: { linger: '50ms' } },
});

describe('fleetlog-gateway at serial ports', function () {
  this.timeout(240_000);
  before(function () {
    if (hasSocat) return;
    console.log(`    skipped: ${whyNoSocat}`);
    this.skip();
  });

  it('goes on with a device that comes back under another name, and reads no port twice', async () => {
    await using folder = await tempFolder('replug');
    const cloud = new Cloud(join(folder.path, 'cloud'));
    await cloud.start();
    await using first = await line(folder.path, 'ttyUSB0');
    await using second = await line(folder.path, 'ttyUSB1');
    const byId = join(folder.path, 'by-id');
    await mkdir(byId);
    const [gps, other] = ['usb-u-blox-if00', 'usb-FTDI-if00-port0'].map((name) => join(byId, name));
    await symlink(first.port, gps);
    await symlink(second.port, other);
    const gateway = await Gateway.prepare('van-3', join(folder.path, 'van'), [], {
      url: `mqtt://127.0.0.1:${cloud.mqttPort}`,
      args: [],
      streams: lines('gps', gps),
    });
    const receiver = new GpsReceiver({ seed: 6, startUs: 1_780_000_000_000_000 });
    let written = '';
    const speak = async (to: SerialLine): Promise<void> => {
      const text = Array.from({ length: 5 }, () => receiver.next(Infinity)).join('');
      written += text;
      await to.write(Buffer.from(text));
    };
    const arrives = (): Promise<unknown> =>
      until(
        'all that was written',
        async () => ((await cloud.recordCounts()).get('van-3/gps') ?? 0) >= written.split('\n').length - 1,
        PATIENCE_MS,
      );
    gateway.command.start();
    try {
      await gateway.command.says(/Reading .*usb-u-blox-if00 at 9600/, PATIENCE_MS);
      await speak(first);
      await arrives();
      // The plug is pulled, and is put into another socket: the same link, another port.
      await first.unplug();
      await gateway.command.says(/There is no serial port .*usb-u-blox-if00/, PATIENCE_MS);
      await rm(gps);
      await using third = await line(folder.path, 'ttyUSB2');
      await symlink(third.port, gps);
      await gateway.command.says(
        /Reading .*usb-u-blox-if00[^]*Reading .*usb-u-blox-if00 at 9600/,
        PATIENCE_MS,
      );
      await speak(third);
      await arrives();
      // Both links, and one of them beside its port.
      const twice = await Gateway.prepare('van-4', join(folder.path, 'twice'), [], {
        url: 'mqtt://127.0.0.1:1',
        args: [],
        streams: { ...lines('one', other), ...lines('two', second.port) },
      });
      const refused = await run(bins.gateway, ['--config', twice.configPath]);
      assert.equal(refused.status, 2);
      assert.match(refused.stderr, /the streams "one" and "two" both read \/dev\/pts\/\d+; let one of them/);
    } finally {
      await gateway.command.stop();
    }
    const exported = await cloud.exportStream({
      gateway: 'van-3',
      stream: 'gps',
      format: 'lines',
      input: Buffer.alloc(0),
    });
    assert.equal(exported.toString(), written);
    await cloud.command.kill();
  });

  it('says so where two names come to lead to one port while it runs', async () => {
    await using folder = await tempFolder('names');
    await using port = await line(folder.path, 'ttyUSB0');
    const link = join(folder.path, 'usb-if00');
    const gateway = await Gateway.prepare('van-5', join(folder.path, 'van'), [], {
      url: 'mqtt://127.0.0.1:1',
      args: [],
      streams: { ...lines('one', port.port), ...lines('two', link) },
    });
    gateway.command.start();
    try {
      await gateway.command.says(/Reading .*ttyUSB0/, PATIENCE_MS);
      await symlink(port.port, link);
      const device = await realpath(port.port);
      await gateway.command.says(
        new RegExp(`Another stream of this gateway reads ${device}, which is what ${link} leads to`),
        PATIENCE_MS,
      );
    } finally {
      await gateway.command.stop();
    }
  });

  it('tells a user without the right how to get it, and reads as soon as it may; nobody reads along', async function () {
    const whyNot = whyNotNobody();
    if (whyNot !== undefined) {
      console.log(`      skipped: ${whyNot}`);
      return this.skip();
    }
    await using folder = await tempFolder('rights');
    await chmod(folder.path, 0o755);
    await using port = await line(folder.path, 'ttyUSB0');
    const device = await realpath(port.port);
    await chown(device, 0, DIALOUT);
    await chmod(device, 0o660);
    const gateway = await Gateway.prepare('van-6', join(folder.path, 'van'), [], {
      url: 'mqtt://127.0.0.1:1',
      args: [],
      within: asNobody,
      streams: lines('gps', port.port),
    });
    await chmod(join(folder.path, 'van'), 0o777);
    const within = ['env', `TMPDIR=${join(folder.path, 'van')}`, ...asNobody];
    const sentence = /sudo usermod -aG dialout nobody/;
    gateway.command.start();
    try {
      await gateway.command.says(
        /This user may not open \S+; add it to the group that owns the port \(sudo usermod -aG dialout nobody\), then log in again/,
        PATIENCE_MS,
      );
      const doctor = await run(bins.gateway, ['doctor', '--config', gateway.configPath], within);
      assert.equal(doctor.status, 3);
      assert.match(doctor.stdout.toString(), /^BAD +serial +This user may not open .*ttyUSB0/m);
      assert.match(doctor.stdout.toString(), sentence);
      await chmod(device, 0o666);
      await gateway.command.says(/Reading .*ttyUSB0/, PATIENCE_MS);
      // Who opens it as well would take bytes away.
      const reader = spawnSync(asNobody[0], [...asNobody.slice(1), 'head', '-c', '1', device], {
        timeout: PATIENCE_MS,
      });
      assert.match(reader.stderr.toString(), /busy/);
    } finally {
      await gateway.command.stop();
    }
  });
});
