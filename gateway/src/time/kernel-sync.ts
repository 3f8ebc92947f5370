import { statSync } from 'node:fs';

/** Asks the system whether something keeps its wall clock right. */
export interface KernelSync {
  /** When the clock was last compared with a time server, wall µs; undefined where it never was since the boot. */
  lastSyncUs(): number | undefined;
}

/**
 * systemd-timesyncd, which Raspberry Pi OS and Debian run, touches this file each time that it has compared the clock
 * with a server. The folder is emptied at a boot.
 */
const synchronizedFile = '/run/systemd/timesync/synchronized';

export const timesyncFile = (path = synchronizedFile): KernelSync => ({
  lastSyncUs() {
    const stat = statSync(path, { throwIfNoEntry: false });
    return stat && Math.round(stat.mtimeMs * 1000);
  },
});
