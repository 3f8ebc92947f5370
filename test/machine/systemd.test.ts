import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { bins, run } from '../support/chaos/process.js';
import { tempFolder } from '../support/temp-folder.js';
import { bootUml, hasUml, whyNoUml } from '../support/uml.js';

const systemd = '/lib/systemd/systemd';
/** Where the guest finds the folder of the test: systemd may tidy /tmp. */
const shared = '/srv/fleetlog-test';
const data = '/var/lib/fleetlog-test';
/** What would take the guest's time, or the test's files. */
const masked = [
  'systemd-tmpfiles-setup.service',
  'systemd-tmpfiles-clean.timer',
  'systemd-timesyncd.service',
];

describe('units under a systemd that is the first process of a machine', function () {
  this.timeout(300_000);

  before(function () {
    if (hasUml && existsSync(systemd)) return;
    console.log(`      skipped: ${hasUml ? 'systemd not installed (apt-get install systemd)' : whyNoUml}`);
    this.skip();
  });

  it('start cloud and gateway at boot with the rights they are given, and again when they are killed', async () => {
    await using folder = await tempFolder('systemd');
    await chmod(folder.path, 0o755); // another user reads the configuration
    const config = join(folder.path, 'truck.yaml');
    const says = ['sh', '-c', 'while sleep 0.2; do echo hello; done'];
    const uplink = { url: 'mqtt://127.0.0.1:1883' };
    const streams = { gps0: { source: 'command', command: says, format: 'lines' } };
    await writeFile(
      config,
      JSON.stringify({ gateway: 'truck-17', data: `${data}/gateway`, uplink, streams }),
    );
    const files = {
      'fleetlog-gateway.service': await unitOf(bins.gateway, '--config', config),
      'fleetlog-cloud.service': await unitOf(bins.cloud, '--data', `${data}/cloud`),
      'probe.service': `[Service]\nType=oneshot\nExecStart=/bin/sh ${shared}/probe.sh\n`,
      'probe.sh': probe(),
    };
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder.path, name), text);
    await bootUml(folder.path, ['fs/overlayfs/overlay.ko'], systemdOnOverlay(folder.path), 240_000);
    const seen = await readFile(join(folder.path, 'probe.txt'), 'utf8').catch(() => 'nothing');
    assert.match(seen, /first: user=fleetlog restarts=0/, seen);
    assert.match(seen, /then: user=fleetlog restarts=1/, seen);
    assert.match(seen, /truck-17 +gps0 +lines/, seen);
    assert.match(seen, /2 streams, \d+ batches held, 0 missing/, seen);
    assert.match(seen, new RegExp(`fleetlog ${data}/cloud\nfleetlog ${data}/gateway\n`), seen);
  });
});

async function unitOf(bin: string, ...parameters: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(bin, ['service', ...parameters, '--user', 'fleetlog']);
  assert.equal(status, 0, stderr);
  return stdout.toString();
}

/** The host's files with a layer above them that is gone at the end, and in it a systemd that starts our units only. */
function systemdOnOverlay(folder: string): string[] {
  const units = ['fleetlog-cloud.service', 'fleetlog-gateway.service', 'probe.service'];
  return [
    'mount -t tmpfs tmpfs /mnt',
    'mkdir /mnt/up /mnt/work /mnt/root',
    'mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/up,workdir=/mnt/work /mnt/root || busybox poweroff -f',
    'cd /mnt/root',
    `mkdir -p .${shared} && mount --bind ${folder} .${shared} || busybox poweroff -f`,
    'umount /proc /sys',
    'rm -rf etc/fstab etc/systemd/system && mkdir -p etc/systemd/system/multi-user.target.wants',
    'cd etc/systemd/system',
    'ln -s /lib/systemd/system/multi-user.target default.target',
    ...masked.map((name) => `ln -s /dev/null ${name}`),
    ...units.map((name) => `cp ${folder}/${name} . && ln -s ../${name} multi-user.target.wants/`),
    'cd /mnt/root',
    "grep -q ^fleetlog: etc/passwd || echo 'fleetlog:x:990:990::/nonexistent:/usr/sbin/nologin' >> etc/passwd",
    "grep -q ^fleetlog: etc/group || echo 'fleetlog:x:990:' >> etc/group",
    `exec chroot . ${systemd} > /dev/null 2>&1`,
  ];
}

/** What the machine does when it is up, and what it tells. */
function probe(): string {
  const fleetlog = `${process.execPath} ${resolve('cloud/dist/cli/fleetlog-bin.js')}`;
  const show = (key: string): string => `$(systemctl show -p ${key} --value fleetlog-gateway)`;
  const until = (condition: string): string => `for i in $(seq 40); do ${condition} && break; sleep 1; done`;
  return [
    `exec > ${shared}/probe.txt 2>&1`,
    'ip link set lo up',
    until(`${fleetlog} streams | grep -q gps0`),
    'journalctl --no-pager -u fleetlog-gateway | tail -5',
    `echo first: user=${show('User')} restarts=${show('NRestarts')}`,
    `kill -9 ${show('MainPID')}`,
    until(`test ${show('NRestarts')} = 1`),
    until(`journalctl -u fleetlog-gateway | grep -c 'Connected to' | grep -q 2`),
    `echo then: user=${show('User')} restarts=${show('NRestarts')}`,
    `${fleetlog} streams`,
    `${fleetlog} gaps`,
    `stat -c '%U %n' ${data}/*`,
    'journalctl --no-pager -u fleetlog-gateway -u fleetlog-cloud | tail -30',
    'sync',
    'busybox poweroff -f',
    '',
  ].join('\n');
}
