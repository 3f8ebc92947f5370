import { statfs } from 'node:fs/promises';

/** The file system that the buffer lies on. */
export interface Disk {
  /** Free space for this user, bytes. */
  freeBytes(): Promise<number>;
}

export function diskOf(path: string): Disk {
  return {
    async freeBytes() {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    },
  };
}
