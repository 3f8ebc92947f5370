import { CAN_EFF_FLAG, FRAME_FD, FRAME_RX, FRAME_TX, fdDlcByLength } from '@fleetlog/shared/can';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { RecordingOut } from './out.js';
import type { Recording } from './recording.js';
import { DataFields, readLines, wholeNumber } from './text.js';

/** Times from here on are µs since 1970 (2001); before it since the recorder was switched on. */
const absoluteUsMin = 1e15;

/**
 * The CSV of SavvyCAN and GVRET: `Time Stamp,ID,Extended,[Dir,]Bus,LEN,D1,…`. Bus n is `can(n)`. Errors: FLEETLOG_USAGE
 * where the head is another.
 */
export function readGvret(recording: Recording, out: RecordingOut): AsyncGenerator<void> {
  const batch = out.framesOf();
  const data = new DataFields();
  let columns: Map<string, number> | undefined;

  const take = (fields: string[], known: ReadonlyMap<string, number>): string | undefined => {
    const field = (name: string): string => fields[known.get(name) ?? -1] ?? '';
    const timeUs = Number(field('time stamp') || NaN);
    if (!Number.isSafeInteger(timeUs)) return `"${field('time stamp')}" isn't a time`;
    const isLong = /^(true|1)$/i.test(field('extended'));
    const id = wholeNumber(field('id'), 16);
    if (!(id <= (isLong ? 0x1fff_ffff : 0x7ff))) return `"${field('id')}" isn't an identifier`;
    const length = wholeNumber(field('len'));
    if (!data.read(fields, known.get('d1')!, length)) return `there aren't ${field('len')} bytes of data`;
    const isFd = length > 8;
    if (isFd && fdDlcByLength.indexOf(fdDlcByLength[length]) !== length)
      return `${length} bytes fit no frame`;
    const direction = /^tx$/i.test(field('dir')) ? FRAME_TX : /^rx$/i.test(field('dir')) ? FRAME_RX : 0;
    const flags = (isFd ? FRAME_FD : 0) | direction;
    const dlc = isFd ? fdDlcByLength[length] : length;
    const bus = `can${wholeNumber(field('bus')) || 0}`;
    batch.add(timeUs, isLong ? id + CAN_EFF_FLAG : id, flags, dlc, bus, data.bytes, 0, length);
    return undefined;
  };

  return readLines(recording, out, (text) => {
    const fields = text.trim().split(',');
    if (columns) return fields.length === 1 && fields[0] === '' ? undefined : take(fields, columns);
    columns = new Map(fields.map((name, at) => [name.trim().toLowerCase(), at]));
    if (['time stamp', 'id', 'extended', 'len', 'd1'].every((name) => columns!.has(name))) return undefined;
    throw new FleetlogError(
      'FLEETLOG_USAGE',
      `${recording.path}:1: the head isn't that of a GVRET CSV (Time Stamp,ID,Extended,Bus,LEN,D1,…).`,
    );
  });
}

/** Whether times of such a file tell a date. */
export const tellsDate = (timeUs: number): boolean => timeUs >= absoluteUsMin;
