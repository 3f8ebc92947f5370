import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import type * as Koffi from 'koffi';
import type { Clock } from '@fleetlog/shared/util';
import type { KernelSync } from '../time/kernel-sync.js';
import { Findings, type Finding } from './finding.js';

/** Before this the product wasn't there. */
const PLAUSIBLE_YEAR = 2025;
/** sys/timex.h */
const TIME_ERROR = 5;
const TIMEX_BYTES = 256;

/** Whether the wall clock can be believed, and what keeps it right. */
export function checkClock(
  clock: Clock,
  kernel: KernelSync,
  /** A stream of the configuration tells the time. */
  hasGpsTime: boolean,
): Finding[] {
  const findings = new Findings('clock');
  const now = new Date(clock.nowUs() / 1000);
  if (now.getUTCFullYear() < PLAUSIBLE_YEAR) {
    findings.wrong(
      `The clock says ${now.toISOString()}, which can't be: certificates seem not valid yet, and times have to be corrected later.`,
      'sudo timedatectl set-ntp true',
    );
  }
  const syncUs = kernel.lastSyncUs();
  const synced = isSynchronized();
  if (syncUs !== undefined) {
    const minutes = Math.round((clock.nowUs() - syncUs) / 60e6);
    findings.fine(`The clock was compared with a time server ${minutes} minutes ago.`);
  } else if (synced === true) {
    findings.fine('Something keeps the clock right (chrony, ntpd or another).');
  } else if (hasGpsTime) {
    findings.fine('No time server keeps the clock right; a GPS receiver tells the gateway the time.');
  } else {
    findings.note(
      'Nothing keeps the clock right: times are marked as coarse until something tells them.',
      'sudo timedatectl set-ntp true   # or "clock: true" of a GPS stream',
    );
  }
  if (!existsSync('/dev/rtc0') && !existsSync('/dev/rtc')) {
    findings.note('There is no battery clock: after each start the time is wrong until something tells it.');
  }
  return findings.list;
}

/** What the kernel knows, whichever program keeps it right; undefined where it can't be asked. */
function isSynchronized(): boolean | undefined {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
    const adjtimex = koffi.load('libc.so.6').func('int adjtimex(_Inout_ uint8_t *)') as (
      timex: Uint8Array,
    ) => number;
    const state = adjtimex(Buffer.alloc(TIMEX_BYTES)); // mode 0 changes nothing
    return state < 0 ? undefined : state !== TIME_ERROR;
  } catch {
    return undefined; // another C library: the sentence says what is known
  }
}
