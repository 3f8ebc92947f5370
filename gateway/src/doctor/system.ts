import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemCode } from '@fleetlog/shared/errors';
import { openRocksDb } from '@fleetlog/shared/store';
import { Findings, type Finding } from './finding.js';

/** Bits of the Raspberry Pi's firmware: too little voltage now, and since the start. */
const UNDER_VOLTAGE = 0x1;
const UNDER_VOLTAGE_SINCE = 0x10000;

/** Whether what Fleetlog is made of works on this machine. */
export async function checkSystem(): Promise<Finding[]> {
  const findings = new Findings('system');
  const { arch, platform, version } = process;
  if (platform !== 'linux' || (arch !== 'x64' && arch !== 'arm64')) {
    findings.wrong(`This is ${platform} on ${arch}; a gateway needs 64-bit Linux on x86 or ARM.`);
  } else {
    findings.fine(`Linux ${release()} on ${arch}, Node ${version}.`);
  }
  await checkDatabase(findings);
  await checkNative(findings);
  await checkPower(findings);
  return findings.list;
}

async function checkDatabase(findings: Findings): Promise<void> {
  let folder: string;
  try {
    folder = await mkdtemp(join(tmpdir(), 'fleetlog-doctor-'));
  } catch (error) {
    const why = systemCode(error) ?? (error as Error).message;
    findings.wrong(
      `This user can't write into the folder for temporary files, ${tmpdir()} (${why}).`,
      'export TMPDIR=/tmp; sudo chmod 1777 /tmp',
    );
    return;
  }
  try {
    const store = await openRocksDb({ path: join(folder, 'store'), purpose: 'trial', blockCache: false });
    await store.close();
    findings.fine('The database works.');
  } catch (error) {
    findings.wrong(
      `The database doesn't: ${(error as Error).message}`,
      'sudo apt-get install libatomic1   # and Debian 12, Ubuntu 22.04 or newer',
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function checkNative(findings: Findings): Promise<void> {
  try {
    const { default: koffi } = await import('koffi');
    koffi.load('libc.so.6');
    findings.fine("The kernel's CAN sockets can be called.");
  } catch (error) {
    findings.wrong(
      `The C library can't be called (${(error as Error).message}): no CAN interface can be read.`,
      'npm ci',
    );
  }
}

async function checkPower(findings: Findings): Promise<void> {
  const path = '/sys/devices/platform/soc/soc:firmware/get_throttled';
  const text = await readFile(path, 'utf8').catch(() => '');
  const bits = Number.parseInt(text, 16) || 0;
  if (bits & (UNDER_VOLTAGE | UNDER_VOLTAGE_SINCE)) {
    const when = bits & UNDER_VOLTAGE ? 'now' : 'at times since the start';
    findings.wrong(
      `The Raspberry Pi has too little voltage ${when}: cards get damaged so; take another power supply.`,
    );
  }
}
