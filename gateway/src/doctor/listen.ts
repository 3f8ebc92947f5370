import { readUbx } from '@fleetlog/shared/gnss';
import { isFleetlogError } from '@fleetlog/shared/errors';
import type { Clock } from '@fleetlog/shared/util';
import { SerialInput } from '../sources/serial/serial-input.js';

/** A receiver speaks once a second: so long at each rate. */
const LISTEN_MS = 1600;
const SETTLE_MS = 50;
const BYTES_MAX = 64 * 1024;
/** What GPS receivers come with, most common first. */
const commonBauds = [9600, 115_200, 38_400, 4800, 57_600, 230_400];

/** What comes from a port. */
export type Heard =
  | { what: 'nmea' | 'ubx' | 'text'; baud: number; sample: string }
  | { what: 'noise' | 'silence'; baud: undefined }
  | { what: 'error'; baud: undefined; message: string };

/**
 * Listens on a serial port at common rates; writes nothing. Only for ports that nobody uses: opening one sets its rate.
 * A port on which nothing comes at the first rate is silent: at a wrong rate bytes would come, too, but others.
 */
export async function listenToPort(
  path: string,
  first: number | undefined,
  clock: Clock,
  signal: AbortSignal,
): Promise<Heard> {
  const bauds = [...new Set([...(first === undefined ? [] : [first]), ...commonBauds])];
  let text: Heard | undefined;
  for (const baud of bauds) {
    let bytes: Buffer;
    try {
      bytes = await bytesOf(path, baud, clock, signal);
    } catch (error) {
      if (!isFleetlogError(error, 'FLEETLOG_SOURCE')) throw error;
      if (/can't do \d+ baud/.test(error.message)) continue;
      return { what: 'error', baud: undefined, message: error.message };
    }
    if (bytes.length === 0) return { what: 'silence', baud: undefined };
    const what = kindOf(bytes);
    if (what === 'nmea' || what === 'ubx') return { what, baud, sample: sampleOf(bytes) };
    if (what === 'text') text ??= { what, baud, sample: sampleOf(bytes) };
    if (text && baud === first) return text;
  }
  return text ?? { what: 'noise', baud: undefined };
}

async function bytesOf(path: string, baud: number, clock: Clock, signal: AbortSignal): Promise<Buffer> {
  const input = await SerialInput.open(
    { path, baud, dataBits: 8, parity: 'none', stopBits: 1, rtscts: false },
    clock,
  );
  try {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    const endUs = clock.monotonicUs() + LISTEN_MS * 1000;
    while (!signal.aborted && !input.ended && bytes < BYTES_MAX) {
      const leftMs = (endUs - clock.monotonicUs()) / 1000;
      if (leftMs <= 0) break;
      await input.more(leftMs, signal);
      for (let part = input.read(); part !== null; part = input.read()) {
        parts.push(part);
        bytes += part.length;
      }
      if (kindOf(Buffer.concat(parts)) === 'nmea') break;
      await clock.sleep(SETTLE_MS, signal).catch(() => undefined);
    }
    if (bytes === 0 && input.failure) throw input.failure;
    return Buffer.concat(parts);
  } finally {
    await input.close();
  }
}

/** What bytes are: sentences and packets count by their checksums. */
export function kindOf(bytes: Buffer): 'nmea' | 'ubx' | 'text' | 'noise' {
  for (let at = bytes.indexOf(0xb5); at >= 0; at = bytes.indexOf(0xb5, at + 1)) {
    if (bytes[at + 1] === 0x62 && readUbx(bytes, at, bytes.length).state === 'right') return 'ubx';
  }
  const lines = bytes.toString('latin1').split(/\r?\n/);
  if (lines.some((line) => isSentence(line))) return 'nmea';
  const readable = bytes.filter((byte) => (byte >= 32 && byte < 127) || (byte >= 9 && byte <= 13)).length;
  return bytes.length > 0 && readable > 0.95 * bytes.length ? 'text' : 'noise';
}

/** NMEA 0183: the checksum is the exclusive or of what lies between $ or ! and the star. */
function isSentence(line: string): boolean {
  const match = /^[$!]([A-Z][\x20-\x7e]{5,78})\*([0-9A-Fa-f]{2})$/.exec(line);
  if (!match) return false;
  return (
    Buffer.from(match[1], 'latin1').reduce((sum, byte) => sum ^ byte, 0) === Number.parseInt(match[2], 16)
  );
}

const sampleOf = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e\r\n]/g, '')
    .split(/\r?\n/)
    .find((line) => /^[$!]/.test(line)) ?? '';
