import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bins, run } from '../support/chaos/process.js';
import { tempFolder } from '../support/temp-folder.js';

const canVerify = spawnSync('systemd-analyze', ['--version']).status === 0;

describe('a unit for systemd', function () {
  this.timeout(60_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;

  before(async () => {
    folder = await tempFolder('service');
    if (!canVerify)
      console.log('      not verified by systemd-analyze, which is missing (apt-get install systemd)');
  });
  after(() => folder[Symbol.asyncDispose]());

  /** What the command prints, and its settings, once systemd has found nothing wrong with it. */
  async function unitOf(bin: string, name: string, ...parameters: string[]): Promise<Map<string, string>> {
    const { status, stdout, stderr } = await run(bin, ['service', ...parameters]);
    assert.equal(status, 0, stderr);
    const path = join(folder.path, `${name}.service`);
    await writeFile(path, stdout);
    if (canVerify) {
      const verified = spawnSync('systemd-analyze', ['verify', path], { encoding: 'utf8' });
      assert.equal(verified.status, 0, verified.stderr);
      assert.doesNotMatch(verified.stderr, new RegExp(`${name}.service:`), 'systemd ignores nothing of it');
    }
    const lines = stdout.toString().split('\n');
    const settings = lines.filter((line) => /^[A-Z]\w+=/.test(line));
    return new Map(settings.map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]));
  }

  async function gatewayUnit(data: string, streams: object): Promise<Map<string, string>> {
    const config = join(folder.path, 'truck 100%.yaml');
    const uplink = { url: 'mqtt://127.0.0.1:1883' };
    await writeFile(config, JSON.stringify({ gateway: 'truck-17', data, uplink, streams }));
    return unitOf(bins.gateway, 'fleetlog-gateway', '--config', config, '--user', 'pi');
  }

  it('of a gateway starts it again whatever ended it, and gives the rights that its sources need', async () => {
    const port = { source: 'serial', path: '/dev/ttyUSB0', baud: 9600, format: 'lines' };
    const bus = { source: 'socketcan', interface: 'can0' };
    const plain = await gatewayUnit('/var/lib/fleetlog/truck', { can0: bus });
    assert.equal(plain.get('Restart'), 'always');
    assert.equal(plain.get('RestartPreventExitStatus'), '2', 'a wrong configuration stays wrong');
    assert.equal(plain.get('StartLimitIntervalSec'), '0', 'however often');
    assert.equal(plain.get('User'), 'pi');
    assert.equal(plain.get('StateDirectory'), 'fleetlog/truck');
    assert.match(plain.get('RestrictAddressFamilies') ?? '', /AF_NETLINK AF_CAN/);
    assert.match(plain.get('ExecStart') ?? '', /truck 100%%\.yaml"/);
    assert.deepEqual(
      ['SupplementaryGroups', 'CapabilityBoundingSet', 'PrivateDevices'].map((key) => plain.get(key)),
      [undefined, '', 'yes'],
    );
    const all = await gatewayUnit('/srv/truck', { gps0: port, can0: { ...bus, restart: '1s' } });
    assert.deepEqual(
      [
        'SupplementaryGroups',
        'AmbientCapabilities',
        'PrivateDevices',
        'ReadWritePaths',
        'StateDirectory',
      ].map((key) => all.get(key)),
      ['dialout', 'CAP_NET_ADMIN', 'no', '/srv/truck', undefined],
    );
  });

  it('of a cloud starts it with the flags given, and lets it take a port below 1024', async () => {
    const data = '/srv/cloud data';
    const cloud = await unitOf(bins.cloud, 'fleetlog-cloud', '--data', data, '--http', '0.0.0.0:80');
    assert.match(
      cloud.get('ExecStart') ?? '',
      /cloud-bin\.js --data "\/srv\/cloud data" --http 0\.0\.0\.0:80$/,
    );
    assert.equal(cloud.get('ReadWritePaths'), '"/srv/cloud data"');
    assert.equal(cloud.get('CapabilityBoundingSet'), 'CAP_NET_BIND_SERVICE');
    assert.ok(Number(cloud.get('LimitNOFILE')) > 10_000, 'a descriptor for each connection');
  });
});
