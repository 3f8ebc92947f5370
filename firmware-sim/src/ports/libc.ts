import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import { FleetlogError } from '@fleetlog/shared/errors';

type Library = ReturnType<typeof Koffi.load>;

/**
 * The C library, loaded where a port needs it. `call` declares a function of it; `errno` is why the last one failed.
 * Errors: FLEETLOG_PLATFORM where it isn't that of Linux.
 */
export function loadLibc(what: string): { call: <F>(declaration: string) => F; errno: () => number } {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
    const library: Library = koffi.load('libc.so.6');
    return { call: <F>(declaration: string) => library.func(declaration) as F, errno: () => koffi.errno() };
  } catch (cause) {
    throw new FleetlogError('FLEETLOG_PLATFORM', `${what} need Linux with the GNU C library.`, { cause });
  }
}
