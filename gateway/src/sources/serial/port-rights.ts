import { readFile, stat } from 'node:fs/promises';
import { userInfo } from 'node:os';

/** Debian, Raspberry Pi OS and Ubuntu give serial ports to this group. */
const usualGroup = 'dialout';

/** The command that gives this user the right to open a port, which counts from the next log-in on. */
export async function rightsCommand(path: string): Promise<string> {
  return `sudo usermod -aG ${await groupOf(path)} ${userName()}`;
}

async function groupOf(path: string): Promise<string> {
  try {
    const { gid } = await stat(path);
    const groups = await readFile('/etc/group', 'utf8');
    const name = new RegExp(`^([^:]+):[^:]*:${gid}:`, 'm').exec(groups)?.[1];
    // A port that is root's alone gets its group when udev has its rules.
    return name === undefined || name === 'root' ? usualGroup : name;
  } catch {
    return usualGroup;
  }
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return '$USER'; // a user without an entry in /etc/passwd
  }
}
