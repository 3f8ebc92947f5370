import { GpsFixes, type GpsFix, type GpsOptions } from './gps-fixes.js';

const METRES_PER_S_IN_KNOTS = 1.943844;

/**
 * What the vehicle's GPS receiver says: NMEA 0183 sentences GGA, GSA, RMC and VTG for each fix, with checksums and
 * CR LF. A pure function of the options.
 */
export class GpsReceiver {
  private readonly fixes: GpsFixes;

  constructor(options: GpsOptions) {
    this.fixes = new GpsFixes(options);
  }

  /** Sentences of the next fix before `elapsedUs` after the start; empty where there is none. */
  next(elapsedUs: number): string {
    const fix = this.fixes.next(elapsedUs);
    return fix ? sentencesOf(fix) : '';
  }
}

/** Text of a whole drive, one chunk a fix. */
export function* nmeaText(options: GpsOptions & { durationUs: number }): Generator<string, void> {
  const receiver = new GpsReceiver(options);
  for (let text = receiver.next(options.durationUs); text !== ''; text = receiver.next(options.durationUs)) {
    yield text;
  }
}

/** The four sentences of a fix. */
export function sentencesOf({ timeUs, place, knows }: GpsFix): string {
  const iso = new Date(timeUs / 1000).toISOString(); // 2026-11-22T21:08:27.000Z
  const hms = knows.knowsTime ? iso.slice(11, 19).replaceAll(':', '') + iso.slice(19, 22) : '';
  const date = knows.knowsDate ? iso.slice(8, 10) + iso.slice(5, 7) + iso.slice(2, 4) : '';
  if (!place) {
    return [
      `GPGGA,${hms},,,,,0,00,,,M,,M,,`,
      'GPGSA,A,1,,,,,,,,,,,,,,,',
      `GPRMC,${hms},V,,,,,,,${date},,,N`,
      'GPVTG,,,,,,,,,N',
    ]
      .map(sentence)
      .join('');
  }
  const { speedMps, satellites } = place;
  const where = `${angle(place.latitude, 2, 'N', 'S')},${angle(place.longitude, 3, 'E', 'W')}`;
  const course = place.course.toFixed(2).padStart(6, '0');
  const knots = (speedMps * METRES_PER_S_IN_KNOTS).toFixed(3);
  const hdop = place.hdop.toFixed(2);
  const altitude = place.altitudeM.toFixed(1);
  const slots = Array.from({ length: 12 }, (_, i) =>
    (satellites[i] ?? '').toString().padStart(satellites[i] ? 2 : 0, '0'),
  );
  return [
    `GPGGA,${hms},${where},1,${String(satellites.length).padStart(2, '0')},${hdop},${altitude},M,-19.8,M,,`,
    `GPGSA,A,3,${slots.join(',')},${place.pdop.toFixed(2)},${hdop},${place.vdop.toFixed(2)}`,
    `GPRMC,${hms},A,${where},${knots},${course},${date},,,A`,
    `GPVTG,${course},T,,M,${knots},N,${(speedMps * 3.6).toFixed(3)},K,A`,
  ]
    .map(sentence)
    .join('');
}

/** Adds `$`, checksum (XOR of all characters) and CR LF. */
function sentence(body: string): string {
  let sum = 0;
  for (let i = 0; i < body.length; i++) sum ^= body.charCodeAt(i);
  return `$${body}*${sum.toString(16).toUpperCase().padStart(2, '0')}\r\n`;
}

/** Degrees and minutes as NMEA writes them: `4852.60200,S`. */
function angle(degrees: number, digits: number, positive: string, negative: string): string {
  const tenMicroMinutes = Math.round(Math.abs(degrees) * 60 * 1e5);
  const whole = Math.floor(tenMicroMinutes / 6e6);
  const minutes = ((tenMicroMinutes - whole * 6e6) / 1e5).toFixed(5).padStart(8, '0');
  return `${String(whole).padStart(digits, '0')}${minutes},${degrees < 0 ? negative : positive}`;
}
