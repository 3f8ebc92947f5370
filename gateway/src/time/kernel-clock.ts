import koffi from 'koffi';

/** How the kernel's wall clock is disciplined; chrony, ntpd and systemd-timesyncd tell the kernel, which any process may ask. */
export interface KernelClock {
  /** Undefined where the kernel can't be asked. */
  read(): KernelDiscipline | undefined;
}

interface KernelDiscipline {
  /** Something keeps the clock right, and nobody has set it by hand since. */
  isSynced: boolean;
  /** The clock is wrong by this at most, µs; grows by 500 ppm between comparisons. */
  uncertaintyUs: number;
}

/*
 * struct timex (adjtimex(2)) where a long has 8 bytes, as on all machines that Fleetlog runs on:
 *   u32 modes | i64 offset @8 | i64 freq @16 | i64 maxerror @24, µs | i64 esterror @32, µs | i32 status @40 | …
 */
const timexBytes = 208;
const maxErrorAt = 24;
const estimatedErrorAt = 32;
const statusAt = 40;
const unsynchronized = 0x40;
/** What a time server over a mobile link is wrong by, at most: timesyncd tells the kernel that it is right, not how well. */
const untoldErrorUs = 100_000;

/** Undefined where there is no `adjtimex`: only Linux has it. */
export function kernelClock(): KernelClock | undefined {
  let adjtimex: (timex: Uint8Array) => number;
  try {
    adjtimex = koffi.load('libc.so.6').func('int adjtimex(_Inout_ uint8_t *)') as typeof adjtimex;
  } catch {
    return undefined;
  }
  const timex = Buffer.alloc(timexBytes);
  return {
    read() {
      timex.fill(0); // modes 0: nothing is set
      return adjtimex(timex) < 0 ? undefined : disciplineOf(timex);
    },
  };
}

/** Of a `struct timex` that the kernel has filled in. */
export function disciplineOf(timex: Buffer): KernelDiscipline {
  const errorUs = Number(timex.readBigInt64LE(maxErrorAt));
  const isTold = timex.readBigInt64LE(estimatedErrorAt) > 0n;
  return {
    isSynced: (timex.readInt32LE(statusAt) & unsynchronized) === 0,
    uncertaintyUs: isTold ? errorUs : Math.max(errorUs, untoldErrorUs),
  };
}
