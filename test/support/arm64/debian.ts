import { execFileSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Fetches Debian packages of arm64 with a package database of their own, so that the host stays what it is, and unpacks
 * them into `root`. Needs apt-get and dpkg-deb.
 */
export async function unpackArm64(folder: string, root: string, names: readonly string[]): Promise<void> {
  for (const part of ['state/lists/partial', 'cache/archives/partial', 'debs'])
    await mkdir(join(folder, part), { recursive: true });
  await writeFile(join(folder, 'status'), '');
  await writeFile(
    join(folder, 'apt.conf'),
    [
      'APT::Architecture "arm64";',
      'APT::Architectures { "arm64"; };',
      'APT::Sandbox::User "root";',
      'Acquire::Languages "none";',
      `Dir::State "${join(folder, 'state')}";`,
      `Dir::State::status "${join(folder, 'status')}";`,
      `Dir::Cache "${join(folder, 'cache')}";`,
      '',
    ].join('\n'),
  );
  const debs = join(folder, 'debs');
  const apt = (command: string, ...args: string[]): string =>
    execFileSync(command, args, {
      cwd: debs,
      env: { ...process.env, APT_CONFIG: join(folder, 'apt.conf') },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  apt('apt-get', 'update', '-qq');
  const kernel = /Depends: (linux-image-\S+)/.exec(apt('apt-cache', 'depends', 'linux-image-arm64'))?.[1];
  if (kernel === undefined) throw new Error('Debian has no arm64 kernel in the lists of this machine');
  apt('apt-get', 'download', '-qq', kernel, ...names);
  for (const deb of await readdir(debs)) execFileSync('dpkg-deb', ['-x', join(debs, deb), root]);
}
