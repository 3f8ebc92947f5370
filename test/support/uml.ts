import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const modulesRoot = '/usr/lib/uml/modules';
const tools = ['linux.uml', 'busybox', 'candump', 'cangen', 'cansend', 'ip'];
const missing = tools.filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
export const hasUml = missing.length === 0;
export const whyNoUml = `${missing.join(', ')} not installed (apt-get install user-mode-linux busybox-static can-utils iproute2)`;

const modules = [
  'net/can/can.ko',
  'net/can/can-raw.ko',
  'drivers/net/can/dev/can-dev.ko',
  'drivers/net/can/vcan.ko',
];

/**
 * Runs a module of ours on a Linux of its own that has virtual CAN interfaces (User-Mode-Linux on the host's files), and
 * returns what it wrote into the file that is its argument. Not in a container without ptrace.
 */
export async function runInUml(folder: string, module: string, timeoutMs: number): Promise<string> {
  const result = join(folder, 'result.json');
  const output = join(folder, 'output.txt');
  const lines = [
    'ip link set lo up',
    `export PATH=${dirname(process.execPath)}:$PATH TMPDIR=${folder}`,
    `node ${module} ${result} > ${output} 2>&1`,
    'busybox poweroff -f',
  ];
  await bootUml(folder, modules, lines, timeoutMs);
  return readFile(result, 'utf8').catch(async () => {
    throw new Error(
      `the guest wrote nothing; it said: ${await readFile(output, 'utf8').catch(() => 'nothing')}`,
    );
  });
}

/** Boots a Linux on the host's files that runs these lines of shell as its first process, until it powers itself off. */
export async function bootUml(
  folder: string,
  modulePaths: readonly string[],
  lines: readonly string[],
  timeoutMs: number,
): Promise<void> {
  const [release] = await readdir(modulesRoot);
  const init = join(folder, 'init.sh');
  const all = [
    '#!/bin/sh',
    'mount -t proc proc /proc',
    'mount -t sysfs sys /sys',
    ...modulePaths.map((path) => `busybox insmod ${modulesRoot}/${release}/kernel/${path}`),
    ...lines,
    '',
  ];
  await writeFile(init, all.join('\n'));
  await chmod(init, 0o755);
  const parameters = [
    'mem=1G',
    'rootfstype=hostfs',
    'rootflags=/',
    'rw',
    `init=${init}`,
    'con=null',
    'con0=null,fd:1',
    'quiet',
  ];
  const uml = spawn('linux.uml', parameters, { stdio: ['ignore', 'ignore', 'ignore'], detached: true });
  const timer = setTimeout(() => process.kill(-uml.pid!, 'SIGKILL'), timeoutMs);
  await once(uml, 'exit');
  clearTimeout(timer);
}
