import { randomBytes } from 'node:crypto';
import { access, constants, open, readFile, rm, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '@fleetlog/shared/errors';
import { Findings, type Finding } from './finding.js';

const BLOCK_BYTES = 1024 * 1024;
const BLOCKS = 16;
const SYNCED_BYTES = 4096;
const SYNCS = 25;
/** A commit waits for its sync: slower ones hold frames up, and these hold them up too long. */
const SLOW_SYNC_MS = 100;
const BAD_SYNC_MS = 500;
const SLOW_BYTES_PER_S = 5e6;
const volatileTypes = ['tmpfs', 'ramfs'];

export interface DiskOptions {
  /** The folder of the configuration; it needn't be there yet. */
  folder: string;
  freeBytesMin: number;
}

/** The disk that the data folder lies on. What is written to measure it, 16 MB, is removed. */
export async function checkDisk({ folder, freeBytesMin }: DiskOptions): Promise<Finding[]> {
  const findings = new Findings('disk');
  const place = await firstThatIsThere(folder);
  const may = await access(place, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!may) {
    findings.wrong(
      `This user may not write into ${place}.`,
      `sudo install -d -o ${process.env['USER'] ?? '$USER'} ${folder}`,
    );
    return findings.list;
  }
  const { type, device } = await mountOf(place);
  if (volatileTypes.includes(type)) {
    findings.wrong(
      `${place} is in memory (${type}): a power cut takes what the cloud lacks.`,
      'data: /var/lib/fleetlog   # in the configuration',
    );
  }
  const { bavail, bsize } = await statfs(place);
  const freeBytes = bavail * bsize;
  if (freeBytes < freeBytesMin) {
    findings.wrong(
      `${place} has ${megabytes(freeBytes)} free, and "buffer.minFree" leaves ${megabytes(freeBytesMin)} to others.`,
      `du -xh ${place} | sort -h | tail`,
    );
  } else {
    findings.fine(`${place} (${type}) has ${megabytes(freeBytes)} free.`);
  }
  if (/\/mmcblk\d/.test(device)) {
    findings.note(
      `${place} is on an SD card or eMMC (${device}): "buffer.writeBudget" spares it.`,
      'buffer: { writeBudget: 2GB }   # in the configuration',
    );
  }
  try {
    describe(await measure(place), place, findings);
  } catch (error) {
    findings.wrong(
      `Nothing can be written to ${place} (${systemCode(error) ?? (error as Error).message}).`,
      'sudo dmesg | tail   # a file system with errors is mounted read-only',
    );
  }
  return findings.list;
}

function describe({ bytesPerSecond, syncMs, worstMs }: Measured, place: string, findings: Findings): void {
  const says = `${place} takes ${megabytes(bytesPerSecond)}/s; a sync takes ${syncMs.toFixed(1)} ms, the slowest of ${SYNCS} ${worstMs.toFixed(0)} ms.`;
  if (syncMs > BAD_SYNC_MS || bytesPerSecond < SLOW_BYTES_PER_S) {
    findings.wrong(
      `${says} That is too slow for a busy bus.`,
      'data: FOLDER   # on an SSD or another SD card (class A1)',
    );
  } else if (syncMs > SLOW_SYNC_MS) {
    findings.note(
      `${says} Rarer commits suit it better.`,
      'buffer: { commitInterval: 1s }   # in the configuration',
    );
  } else {
    findings.fine(says);
  }
}

interface Measured {
  bytesPerSecond: number;
  /** Median. */
  syncMs: number;
  worstMs: number;
}

async function measure(folder: string): Promise<Measured> {
  const path = join(folder, `.fleetlog-doctor-${process.pid}`);
  const file = await open(path, 'wx');
  try {
    const block = randomBytes(BLOCK_BYTES); // a disk that compresses takes zeros for nothing
    const startMs = performance.now();
    for (let i = 0; i < BLOCKS; i++) await file.write(block);
    await file.datasync();
    const seconds = (performance.now() - startMs) / 1000;
    const syncs: number[] = [];
    for (let i = 0; i < SYNCS; i++) {
      const beforeMs = performance.now();
      await file.write(block, 0, SYNCED_BYTES);
      await file.datasync();
      syncs.push(performance.now() - beforeMs);
    }
    syncs.sort((a, b) => a - b);
    return {
      bytesPerSecond: (BLOCKS * BLOCK_BYTES) / seconds,
      syncMs: syncs[SYNCS >> 1],
      worstMs: syncs[SYNCS - 1],
    };
  } finally {
    await file.close();
    await rm(path, { force: true });
  }
}

async function firstThatIsThere(folder: string): Promise<string> {
  for (let at = folder; ; at = dirname(at)) {
    const isThere = await access(at).then(
      () => true,
      () => false,
    );
    if (isThere || at === dirname(at)) return at;
  }
}

/** By /proc/self/mountinfo: the mount point with the longest name that fits. */
async function mountOf(place: string): Promise<{ type: string; device: string }> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  let best = { point: '', type: 'unknown', device: '' };
  for (const line of text.split('\n')) {
    const match = /^\d+ \d+ \S+ \S+ (\S+) .*? - (\S+) (\S+)/.exec(line);
    if (!match) continue;
    const [, point, type, device] = match;
    const fits = place === point || place.startsWith(point === '/' ? '/' : `${point}/`);
    if (fits && point.length >= best.point.length) best = { point, type, device };
  }
  return best;
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 1e6).toLocaleString('en')} MB`;
