/**
 * A GPS receiver: a line every 200 ms, with a fix after so long. Arguments: true time less monotonic time in ms, ms
 * without fix. So it knows the true time, whatever the wall clock of its process says.
 */
import { sentence } from './nmea.js';

const [trueOffsetMs, blindMs] = process.argv.slice(2).map(Number);
const monotonicMs = (): number => Number(process.hrtime.bigint()) / 1e6;
const startMs = monotonicMs();

setInterval(() => {
  const nowMs = monotonicMs();
  const [date, time] = new Date(trueOffsetMs + nowMs).toISOString().split('T');
  const [year, month, day] = date.split('-');
  const status = nowMs - startMs < blindMs ? 'V' : 'A';
  const clock = time.slice(0, 11).replaceAll(':', '');
  console.log(
    sentence(`GPRMC,${clock},${status},4717.11,N,00833.91,E,0.0,0.0,${day}${month}${year.slice(2)},,,A`),
  );
}, 200);
