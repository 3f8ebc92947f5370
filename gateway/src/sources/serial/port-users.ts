import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** A process that has a serial port open. */
export interface PortUser {
  pid: number;
  /** Its command line, shortened: `gpsd -n /dev/ttyUSB0`. */
  command: string;
}

const COMMAND_CHARACTERS_MAX = 60;

/** Who has which device open. `devices` are paths without links; other users' processes are hidden from all but root. */
export async function usersOfPorts(devices: ReadonlySet<string>): Promise<Map<string, PortUser[]>> {
  const users = new Map<string, PortUser[]>();
  for (const name of (await readdir('/proc').catch(() => [])).filter((entry) => /^\d+$/.test(entry))) {
    const folder = `/proc/${name}/fd`;
    const targets = await Promise.all(
      (await readdir(folder).catch(() => [])).map((fd) => readlink(join(folder, fd)).catch(() => '')),
    );
    // Who has the other end of a pseudo-terminal is its device, not its user.
    const isDevice = targets.includes('/dev/ptmx');
    for (const device of new Set(targets.filter((target) => devices.has(target)))) {
      if (isDevice && device.startsWith('/dev/pts/')) continue;
      users.set(device, [
        ...(users.get(device) ?? []),
        { pid: Number(name), command: await commandOf(name) },
      ]);
    }
  }
  return users;
}

async function commandOf(pid: string): Promise<string> {
  const words = (await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => ''))
    .split('\0')
    .filter(Boolean);
  const text = [basename(words[0] ?? 'unknown'), ...words.slice(1)]
    .join(' ')
    .replaceAll(/[^\x20-\x7e]/g, '?');
  return text.length > COMMAND_CHARACTERS_MAX ? `${text.slice(0, COMMAND_CHARACTERS_MAX)}…` : text;
}

/** `gpsd -n /dev/ttyUSB0 (process 812)`. */
export const describeUser = ({ pid, command }: PortUser): string => `${command} (process ${pid})`;

/** The command that makes a process leave its port. */
export function stopCommand({ pid, command }: PortUser): string {
  if (/^gpsd\b/.test(command)) return 'sudo systemctl stop gpsd.socket gpsd';
  if (/^ModemManager\b/.test(command)) return 'sudo systemctl disable --now ModemManager';
  return `sudo kill ${pid}`;
}
