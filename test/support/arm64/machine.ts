import { spawn, execFileSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, cp, mkdir, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { until } from '../until.js';

/** In the order in which they are loaded. */
const modules = [
  'drivers/virtio/virtio_pci_modern_dev.ko',
  'drivers/virtio/virtio_pci_legacy_dev.ko',
  'drivers/virtio/virtio_pci.ko',
  'drivers/block/virtio_blk.ko',
  'net/core/failover.ko',
  'drivers/net/net_failover.ko',
  'drivers/net/virtio_net.ko',
  'lib/crc16.ko',
  'crypto/crc32c_generic.ko',
  'lib/libcrc32c.ko',
  'fs/mbcache.ko',
  'fs/jbd2/jbd2.ko',
  'fs/ext4/ext4.ko',
  'net/can/can.ko',
  'net/can/can-raw.ko',
  'drivers/net/can/dev/can-dev.ko',
  'drivers/net/can/vcan.ko',
  'drivers/net/can/sja1000/sja1000.ko',
  'drivers/net/can/sja1000/kvaser_pci.ko',
];
/** Busybox has an `ip` of its own, which knows no CAN: Debian's is called by its path. */
const programs = {
  'usr/bin/candump': 'usr/bin/candump',
  'usr/bin/cangen': 'usr/bin/cangen',
  'usr/bin/cansend': 'usr/bin/cansend',
  'bin/ip': 'usr/bin/ip',
};

/** What the machine does before the script of the test: devices, disk, network, CAN interfaces. */
const start = `#!/bin/busybox sh
/bin/busybox mkdir -p /bin /proc /sys /dev /disk /tmp
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for module in ${modules.map((path) => basename(path)).join(' ')}; do insmod /modules/$module; done
mount -t ext4 /dev/vda /disk
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
ip link add dev vcan0 type vcan
ip link set vcan0 mtu 72
ip link set vcan0 up
export PATH=/bin:/usr/bin HOME=/tmp
sh /disk/script.sh
cd / && umount /disk && poweroff -f
`;

/** Where the host's loopback is, seen from the machine. */
export const hostAddress = '10.0.2.2';

/**
 * A whole arm64 machine under emulation: Debian's kernel, a disk (ext4) whose content is `disk`, a network card, a
 * virtual CAN interface `vcan0`, and `can0` and `can1`, two emulated CAN controllers on one bus, which are down. It runs `disk/script.sh`, whose console is what `says` reads and `tell` writes to.
 */
export class Arm64Machine {
  private output = '';
  private child: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    private readonly kernel: string,
  ) {}

  /** `root`: unpacked packages (kernel, C library, busybox-static, can-utils). */
  static async prepare(folder: string, root: string, disk: string): Promise<Arm64Machine> {
    const initial = join(folder, 'initial');
    await mkdir(join(initial, 'modules'), { recursive: true });
    for (const part of ['lib', 'usr/lib', 'bin', 'usr/bin'])
      await mkdir(join(initial, part), { recursive: true });
    await copyFile(join(root, 'lib/ld-linux-aarch64.so.1'), join(initial, 'lib/ld-linux-aarch64.so.1'));
    for (const part of ['lib/aarch64-linux-gnu', 'usr/lib/aarch64-linux-gnu'])
      await cp(join(root, part), join(initial, part), { recursive: true, verbatimSymlinks: true });
    await copyFile(join(root, 'bin/busybox'), join(initial, 'bin/busybox'));
    for (const [from, to] of Object.entries(programs)) await copyFile(join(root, from), join(initial, to));
    const [release] = await readdir(join(root, 'lib/modules'));
    for (const path of modules)
      await copyFile(
        join(root, 'lib/modules', release, 'kernel', path),
        join(initial, 'modules', basename(path)),
      );
    await writeFile(join(initial, 'init'), start);
    await chmod(join(initial, 'init'), 0o755);
    execFileSync('sh', ['-c', 'find . | busybox cpio -o -H newc > ../initial.cpio 2>/dev/null'], {
      cwd: initial,
    });
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', disk, join(folder, 'disk.img'), '2G']);
    return new Arm64Machine(folder, join(root, 'boot', `vmlinuz-${release}`));
  }

  boot(): void {
    const parameters = [
      ['-machine', 'virt', '-cpu', 'cortex-a72', '-smp', '2', '-m', '1024', '-no-reboot'],
      ['-display', 'none', '-monitor', 'none', '-serial', 'stdio'],
      ['-kernel', this.kernel, '-initrd', join(this.folder, 'initial.cpio')],
      ['-append', 'console=ttyAMA0 quiet panic=-1'],
      ['-drive', `file=${join(this.folder, 'disk.img')},format=raw,if=virtio,cache=writeback`],
      // Two PCI cards with a CAN controller each (SJA1000), wired to each other.
      ['-object', 'can-bus,id=bus'],
      [
        '-device',
        'kvaser_pci,canbus=bus,bus=pcie.0,addr=0x8',
        '-device',
        'kvaser_pci,canbus=bus,bus=pcie.0,addr=0x9',
      ],
      ['-netdev', 'user,id=net0', '-device', 'virtio-net-pci,netdev=net0,romfile='],
    ].flat();
    const child = spawn('qemu-system-aarch64', parameters, { stdio: ['pipe', 'pipe', 'pipe'] });
    const note = (text: string): void => void (this.output += text);
    child.stdout.setEncoding('utf8').on('data', note);
    child.stderr.setEncoding('utf8').on('data', note);
    const endWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', endWithUs);
    child.once('close', () => process.off('exit', endWithUs));
    this.child = child;
  }

  async says(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    try {
      return await until(String(pattern), () => pattern.exec(this.output) ?? this.ended(), timeoutMs);
    } catch (error) {
      throw new Error(`the machine said:\n${this.output}`, { cause: error });
    }
  }

  tell(line: string): void {
    this.child?.stdin?.write(`${line}\n`);
  }

  /** Resolves when the machine has powered itself off. */
  async off(): Promise<void> {
    if (this.child?.exitCode === null) await once(this.child, 'close');
  }

  kill(): void {
    this.child?.kill('SIGKILL');
  }

  /** A file of its disk, when it is off. */
  read(path: string): Buffer {
    return execFileSync('debugfs', ['-R', `cat ${path}`, join(this.folder, 'disk.img')], {
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 2 ** 30,
    });
  }

  private ended(): undefined {
    if (this.child?.exitCode === null) return undefined;
    throw new Error('the machine is off');
  }
}
