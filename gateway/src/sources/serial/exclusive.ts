import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';

/** asm-generic/ioctls.h */
const TIOCEXCL = 0x540c;

/**
 * Keeps others from opening a terminal that is open here, until it is closed: `flock` only keeps those away who ask for
 * it, and who reads along takes bytes away. Root may still. Where the kernel refuses, nothing is different.
 */
export function makeExclusive(fd: number): void {
  try {
    // Loaded where it is needed: it takes memory.
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
    const ioctl = koffi.load('libc.so.6').func('int ioctl(int, unsigned long, int)') as (
      ...numbers: number[]
    ) => number;
    ioctl(fd, TIOCEXCL, 0);
  } catch {
    // Another C library: the lock alone must do.
  }
}
