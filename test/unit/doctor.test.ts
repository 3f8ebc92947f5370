import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readYaml } from '@fleetlog/shared/config';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { loadGatewayConfig } from '#gateway/config.js';
import { checkCan } from '#gateway/doctor/can.js';
import { checkDisk } from '#gateway/doctor/disk.js';
import { kindOf } from '#gateway/doctor/listen.js';
import { findSerialPorts } from '#gateway/doctor/serial-ports.js';
import { starterConfig, writeStarter } from '#gateway/doctor/starter.js';
import { FakeClock } from '../support/fake-clock.js';
import { BUS_OFF, linksOf } from '../support/kernel-links.js';
import { sentence } from '../support/nmea.js';
import { tempFolder } from '../support/temp-folder.js';

type LinkState = Parameters<typeof linksOf>[0];

/** What the doctor says of can0, which is in the first state before it listens and in the second one after. */
async function saysOf(before: LinkState, after: LinkState = before, wanted = ['can0']): Promise<string[]> {
  const answers = [before, after];
  const ask = () => () => linksOf(answers.shift());
  const { findings } = await checkCan(ask, wanted, new FakeClock());
  return findings.map(({ verdict, says, mend }) => [verdict, says, mend].filter(Boolean).join(' | '));
}

describe('the doctor', () => {
  it('says of a CAN interface what is wrong, and what mends it', async () => {
    const active = { state: 0 };
    const [fine] = await saysOf({ ...active, frames: 10 }, { ...active, frames: 510 });
    assert.match(
      fine,
      /^fine \| can0 \(can, 500 kbit\/s, listening only, .*is up, error-active; 500 frames within/,
    );
    assert.match((await saysOf(active))[0], /^note \| .*nothing was heard/);
    assert.match(
      (await saysOf(active, { ...active, errors: 90 }))[0],
      /^wrong \| .*hears errors and no frame.*\| sudo ip link set can0 down && sudo ip link set can0 up type can bitrate 250000/,
    );
    assert.match((await saysOf({ state: BUS_OFF }))[0], /^wrong \| .*bus-off.*type can restart/);
    assert.match(
      (await saysOf({ up: false }))[0],
      /^wrong \| can0 \(can\) is down\. \| sudo ip link set can0 up type can/,
    );
    assert.match((await saysOf({ up: false }, undefined, []))[0], /^note \| can0 \(can\) is down/);
    const missing = await saysOf(active, active, ['can0', 'can7', 'vcan3']);
    assert.ok(missing.some((text) => text.startsWith('wrong | There is no CAN interface can7')));
    assert.ok(missing.some((text) => /vcan3.*sudo ip link add dev vcan3 type vcan/.test(text)));
  });

  it('knows sentences and packets by their checksums, not by their looks', () => {
    const line = sentence('GPRMC,101112.00,A,4717.11,N,00833.91,E,0.0,0.0,231126,,,A');
    assert.equal(kindOf(Buffer.from(`,N,cut off\r\n${line}\r\n$GPG`)), 'nmea');
    assert.equal(kindOf(Buffer.from('$GPRMC,101112.00,A*00\r\n')), 'text');
    const ubx = Buffer.from('b5620501020006010f38', 'hex'); // an ACK-ACK
    assert.equal(kindOf(Buffer.concat([Buffer.from([0xb5, 1, 2]), ubx])), 'ubx');
    ubx[9] ^= 1;
    assert.equal(kindOf(ubx), 'noise');
    assert.equal(kindOf(Buffer.alloc(0)), 'noise');
  });

  it('finds serial ports by the name that stays, and leaves out those without a device', async () => {
    await using folder = await tempFolder('ports');
    const folders = {
      byId: join(folder.path, 'by-id'),
      tty: join(folder.path, 'tty'),
      dev: join(folder.path, 'dev'),
    };
    const usb = join(folder.path, 'devices/usb1/1-1');
    for (const path of [folders.byId, folders.dev, join(usb, '1-1:1.0/ttyUSB0'), join(folder.path, 'driver')])
      await mkdir(path, { recursive: true });
    for (const name of ['ttyUSB0', 'ttyS3', 'ttyS4', 'tty1']) {
      await writeFile(join(folders.dev, name), '');
      await mkdir(join(folders.tty, name), { recursive: true });
    }
    await writeFile(join(usb, 'product'), 'FT232R USB UART\n');
    await writeFile(join(usb, 'manufacturer'), 'FTDI\n');
    await symlink(join(folder.path, 'driver'), join(usb, '1-1:1.0/ttyUSB0/driver'));
    await symlink(join(usb, '1-1:1.0/ttyUSB0'), join(folders.tty, 'ttyUSB0/device'));
    // A driver found no device for ttyS3, and nothing at all drives ttyS4.
    await mkdir(join(folders.tty, 'ttyS3/device'));
    await symlink(join(folder.path, 'driver'), join(folders.tty, 'ttyS3/device/driver'));
    await writeFile(join(folders.tty, 'ttyS3/type'), '0\n');
    await symlink(join(folders.dev, 'ttyUSB0'), join(folders.byId, 'usb-FTDI_FT232R-if00-port0'));
    const [port, ...others] = await findSerialPorts(folders, []);
    assert.deepEqual(others, []);
    assert.equal(port.path, join(folders.byId, 'usb-FTDI_FT232R-if00-port0'));
    assert.equal(port.device, join(folders.dev, 'ttyUSB0'));
    assert.equal(port.adapter, 'FTDI FT232R USB UART');
    assert.deepEqual([port.mayOpen, port.users, port.isConsole], [true, [], false]);
  });

  it('measures the disk, leaves nothing behind, and says when there is no room or no right', async () => {
    await using folder = await tempFolder('disk');
    const missing = join(folder.path, 'not/yet');
    const fine = await checkDisk({ folder: missing, freeBytesMin: 0 });
    assert.ok(fine.some(({ says }) => /takes [\d,]+ MB\/s; a sync takes [\d.]+ ms/.test(says)));
    const full = await checkDisk({ folder: missing, freeBytesMin: Number.MAX_SAFE_INTEGER });
    assert.ok(full.some(({ verdict, says }) => verdict === 'wrong' && says.includes('"buffer.minFree"')));
    assert.deepEqual(await readdir(folder.path), []);
    const none = await checkDisk({ folder: '/proc/nowhere', freeBytesMin: 0 });
    assert.ok(none.some(({ verdict }) => verdict === 'wrong'));
    const memory = await checkDisk({ folder: '/dev/shm', freeBytesMin: 0 });
    assert.ok(memory.some(({ verdict, says }) => verdict === 'wrong' && /in memory/.test(says)));
  });

  it('writes a configuration that loads, of all that it found, and never over another', async () => {
    await using folder = await tempFolder('starter');
    const path = join(folder.path, 'truck.yaml');
    const { links } = await checkCan(() => () => linksOf({ state: 0 }), [], new FakeClock());
    const port = { device: '/dev/ttyUSB0', mayOpen: true, isConsole: false, users: [] };
    const text = starterConfig({
      links: [...links, { ...links[0], name: 'CAN.X1' }],
      ports: [
        {
          ...port,
          path: '/dev/serial/by-id/a b',
          adapter: 'u-blox',
          heard: { what: 'ubx', baud: 38400, sample: '' },
        },
        {
          ...port,
          path: '/dev/ttyS9',
          adapter: undefined,
          heard: { what: 'nmea', baud: 4800, sample: '$GP' },
        },
        { ...port, path: '/dev/ttyUSB1', adapter: 'x', heard: { what: 'silence', baud: undefined } },
      ],
      hasGpsd: true,
    });
    await writeStarter(path, text, readYaml, false);
    const { streams } = loadGatewayConfig(path, {});
    assert.deepEqual(
      Object.entries(streams).map(([name, { source, interface: i, path: p, baud, format }]) =>
        [name, source, i ?? p, baud, format].filter((part) => part !== undefined).join(' '),
      ),
      [
        'can0 socketcan can0',
        'can-x1 socketcan CAN.X1',
        'gps0 serial /dev/serial/by-id/a b 38400 ubx',
        'gps1 serial /dev/ttyS9 4800 lines',
      ],
    );
    const refused = writeStarter(path, 'gateway: x', readYaml, false);
    await assert.rejects(refused, (error) => isFleetlogError(error, 'FLEETLOG_CONFIG'));
    await assert.rejects(writeStarter(path, text, readYaml, false), (error) =>
      isFleetlogError(error, 'FLEETLOG_USAGE'),
    );
    await writeStarter(path, `${text}# new\n`, readYaml, true);
    assert.match(await readFile(path, 'utf8'), /# new\n$/);
  });
});
