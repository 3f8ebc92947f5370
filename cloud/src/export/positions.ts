import type { TextLines } from '@fleetlog/shared/batch';
import { LineReader } from '../signals/gps/line-reader.js';
import { PositionReader } from '../signals/gps/position-reader.js';
import { at, type Fix } from '../signals/gps/position.js';

/** A place at a moment. What the receiver doesn't say is NaN. */
export interface Position {
  timeUs: number;
  latitude: number;
  longitude: number;
  altitude: number;
  speed: number;
  track: number;
  satellites: number;
  hdop: number;
  horizontalError: number;
  verticalError: number;
}

/** The positions that the lines of one stream tell, in the order of time; undefined where the receiver had none. */
export class Positions {
  private found: (Position | undefined)[] = [];
  private readonly lines = new LineReader();
  private readonly reader = new PositionReader((timeUs, fix) => this.found.push(positionOf(timeUs, fix)));

  /** Positions that are complete with these lines. */
  take(lines: TextLines, from: number, to: number): (Position | undefined)[] {
    const { bytes, lineStart } = lines;
    for (let i = from; i < to; i++) {
      const timeUs = lines.timeUs(i);
      const report = this.lines.read(bytes, lineStart[i], lineStart[i + 1], timeUs);
      if (report !== undefined && report !== 'wrong checksum') this.reader.take(report, timeUs);
    }
    if (to > from) this.reader.expire(lines.timeUs(to - 1));
    return this.found.splice(0);
  }

  /** No more lines come: what was still open. */
  finish(): (Position | undefined)[] {
    this.reader.finish();
    return this.found.splice(0);
  }
}

function positionOf(timeUs: number, fix: Fix): Position | undefined {
  const latitude = fix[at.latitude];
  const longitude = fix[at.longitude];
  if (Number.isNaN(latitude) || Number.isNaN(longitude)) return undefined;
  return {
    timeUs,
    latitude,
    longitude,
    altitude: fix[at.altitude],
    speed: fix[at.speed],
    track: fix[at.track],
    satellites: fix[at.satellitesUsed],
    hdop: fix[at.hdop],
    horizontalError: fix[at.horizontalError],
    verticalError: fix[at.verticalError],
  };
}
