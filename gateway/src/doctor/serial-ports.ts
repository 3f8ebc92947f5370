import { access, constants, readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { usersOfPorts, type PortUser } from '../sources/serial/port-users.js';

/** Where Linux lists its serial ports. */
export interface SerialFolders {
  byId: string;
  tty: string;
  dev: string;
}

export const systemSerialFolders: SerialFolders = {
  byId: '/dev/serial/by-id',
  tty: '/sys/class/tty',
  dev: '/dev',
};

export interface FoundPort {
  /** The name that stays the same when the device is replugged, where there is one. */
  path: string;
  /** What it leads to: `/dev/ttyUSB0`. */
  device: string;
  /** What the adapter calls itself. */
  adapter: string | undefined;
  /** False where this user may not open it. */
  mayOpen: boolean;
  /** The system's own messages and log-in are on it. */
  isConsole: boolean;
  /** Processes that have it open, as far as this user may know. */
  users: PortUser[];
}

/** Serial ports with a device behind them, and those that are `named`. */
export async function findSerialPorts(
  folders: SerialFolders,
  named: readonly string[],
): Promise<FoundPort[]> {
  const byDevice = new Map<string, string>();
  for (const name of await readdir(folders.byId).catch(() => [])) {
    const path = join(folders.byId, name);
    byDevice.set(await realpath(path).catch(() => path), path);
  }
  const devices = new Set([...byDevice.keys(), ...(await hardwareOf(folders))]);
  for (const path of named) {
    const device = await realpath(path).catch(() => undefined);
    if (device === undefined) continue;
    devices.add(device);
    byDevice.set(device, path);
  }
  const users = await usersOfPorts(devices);
  const consoles = await readFile('/proc/consoles', 'utf8').catch(() => '');
  return Promise.all(
    [...devices].sort().map(async (device) => ({
      path: byDevice.get(device) ?? device,
      device,
      adapter: await adapterOf(folders, device),
      mayOpen: await access(device, constants.R_OK | constants.W_OK).then(
        () => true,
        () => false,
      ),
      isConsole: consoles.split('\n').some((line) => line.startsWith(`${basename(device)} `)),
      users: users.get(device) ?? [],
    })),
  );
}

/** Of the many names in the kernel's list only those that a driver has found a device for. */
async function hardwareOf({ tty, dev }: SerialFolders): Promise<string[]> {
  const names = await readdir(tty).catch(() => []);
  const found = await Promise.all(
    names.map(async (name) => {
      const driver = await readlink(join(tty, name, 'device', 'driver')).catch(() => '');
      // ttyS0 to ttyS3 are there whether or not a PC has them; type 0 says that nothing is.
      const type = await readFile(join(tty, name, 'type'), 'utf8').catch(() => '1');
      return driver !== '' && type.trim() !== '0' ? [join(dev, name)] : [];
    }),
  );
  return found.flat();
}

/** USB devices say who they are, some folders above the port. */
async function adapterOf({ tty }: SerialFolders, device: string): Promise<string | undefined> {
  let at = await realpath(join(tty, basename(device), 'device')).catch(() => undefined);
  for (let level = 0; at !== undefined && level < 4; level++, at = resolve(at, '..')) {
    const read = async (name: string): Promise<string> =>
      (await readFile(join(at!, name), 'utf8').catch(() => '')).trim();
    const product = await read('product');
    if (product !== '') return `${await read('manufacturer')} ${product}`.trim();
  }
  return undefined;
}
