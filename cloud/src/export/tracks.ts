import type { Formatter } from './formatter.js';
import { isoMicros } from './iso-time.js';
import type { StreamRef } from './merge-streams.js';
import { Positions, type Position } from './positions.js';
import type { Records } from './records.js';

/** A track ends where the receiver lost its fix, or was silent for so long. */
const gapUs = 60_000_000;
/** Points of a feature of GeoJSON, all of which are held; the next feature begins with the last one. */
const featurePointsMax = 1000;

/** One stream of a receiver on its way into a file. */
interface OpenTrack {
  source: StreamRef;
  positions: Positions;
  /** Points of the segment that is being written. */
  points: Position[];
  lastUs: number;
}

/** What GPX and GeoJSON have in common: positions of streams, cut into segments. */
abstract class TrackFormatter implements Formatter {
  readonly kinds = ['lines'] as const;
  private readonly tracks = new Map<string, OpenTrack>();
  private isBegun = false;

  protected abstract readonly head: string;
  protected abstract readonly tail: string;
  protected abstract begin(track: OpenTrack): string;
  protected abstract point(track: OpenTrack, position: Position): string;
  /** The segment is over. */
  protected abstract cut(track: OpenTrack): string;
  protected abstract finish(track: OpenTrack): string;

  format({ kind, columns }: Records, from: number, to: number, source: StreamRef): Uint8Array {
    if (kind !== 'lines') return new Uint8Array(0);
    let text = this.beginning();
    const key = `${source.gateway} ${source.stream}`;
    let track = this.tracks.get(key);
    if (!track) {
      track = { source, positions: new Positions(), points: [], lastUs: -Infinity };
      this.tracks.set(key, track);
      text += this.begin(track);
    }
    text += this.take(track, track.positions.take(columns, from, to));
    return Buffer.from(text);
  }

  end(): Uint8Array {
    let text = this.beginning();
    for (const track of this.tracks.values()) {
      text += this.take(track, track.positions.finish());
      text += this.cut(track) + this.finish(track);
    }
    return Buffer.from(text + this.tail);
  }

  private beginning(): string {
    if (this.isBegun) return '';
    this.isBegun = true;
    return this.head;
  }

  private take(track: OpenTrack, positions: readonly (Position | undefined)[]): string {
    let text = '';
    for (const position of positions) {
      if (!position || position.timeUs - track.lastUs > gapUs) text += this.cut(track);
      if (!position) continue;
      track.lastUs = position.timeUs;
      text += this.point(track, position);
    }
    return text;
  }
}

const xml = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** GPX 1.1: a track with a segment for each time that the receiver had a fix. */
export class GpxFormatter extends TrackFormatter {
  protected override readonly head =
    '<?xml version="1.0" encoding="UTF-8"?>\n' +
    '<gpx version="1.1" creator="Fleetlog" xmlns="http://www.topografix.com/GPX/1/1">\n';
  protected override readonly tail = '</gpx>\n';

  protected override begin({ source: { gateway, stream } }: OpenTrack): string {
    return `<trk><name>${xml(`${gateway} ${stream}`)}</name>\n`;
  }

  protected override point(track: OpenTrack, position: Position): string {
    const { latitude, longitude, altitude, satellites, hdop, timeUs } = position;
    const opening = track.points.length === 0 ? '<trkseg>\n' : '';
    track.points = [position];
    return (
      `${opening}<trkpt lat="${latitude.toFixed(8)}" lon="${longitude.toFixed(8)}">` +
      `${element('ele', altitude)}<time>${isoMicros(timeUs)}</time>${element('sat', satellites)}${element('hdop', hdop)}</trkpt>\n`
    );
  }

  protected override cut(track: OpenTrack): string {
    if (track.points.length === 0) return '';
    track.points = [];
    return '</trkseg>\n';
  }

  protected override finish(): string {
    return '</trk>\n';
  }
}

const element = (name: string, value: number): string =>
  Number.isNaN(value) ? '' : `<${name}>${Number(value.toFixed(3))}</${name}>`;

/**
 * GeoJSON (RFC 7946): LineString features of at most 1,000 points, each beginning where the last one ended; properties
 * `gateway`, `stream`, `start`, `end`, and for each point `coordTimes` and `speeds` (m/s, null).
 */
export class GeojsonFormatter extends TrackFormatter {
  protected override readonly head = '{"type":"FeatureCollection","features":[';
  protected override readonly tail = '\n]}\n';
  private features = 0;

  protected override begin(): string {
    return '';
  }

  protected override point(track: OpenTrack, position: Position): string {
    track.points.push(position);
    if (track.points.length < featurePointsMax) return '';
    const text = this.cut(track);
    track.points.push(position);
    return text;
  }

  /** A single point makes no line. */
  protected override cut(track: OpenTrack): string {
    const { points } = track;
    track.points = [];
    if (points.length < 2) return '';
    const times = points.map(({ timeUs }) => isoMicros(timeUs));
    const properties = {
      ...track.source,
      start: times[0],
      end: times.at(-1),
      coordTimes: times,
      speeds: points.map(({ speed }) => rounded(speed, 3)),
    };
    const coordinates = points.map(({ latitude, longitude, altitude }) => [
      rounded(longitude, 8),
      rounded(latitude, 8),
      ...(Number.isNaN(altitude) ? [] : [rounded(altitude, 3)]),
    ]);
    const feature = { type: 'Feature', geometry: { type: 'LineString', coordinates }, properties };
    return `${this.features++ === 0 ? '' : ','}\n${JSON.stringify(feature)}`;
  }

  protected override finish(): string {
    return '';
  }
}

/** Null for NaN, as JSON has it. */
const rounded = (value: number, decimals: number): number => Number(value.toFixed(decimals));
