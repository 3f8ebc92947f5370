import { mayBeUbx, readUbx, ubxSync } from '@fleetlog/shared/gnss';
import type { Batcher } from '../../batch/batcher.js';
import type { FeedStop } from '../feed.js';
import { LinesFeed } from '../lines-feed.js';
import type { LineWindow } from '../line-window.js';

const LF = 10;
const textBytesMax = 4096;

/** Where the next record ends, and whether it is one of the format; undefined where more bytes are needed to know. */
interface Cut {
  end: number;
  isNoise: boolean;
}

/**
 * What a u-blox receiver sends: UBX packets and NMEA sentences, mixed as they come. Each packet whose checksum is right
 * is a record, and so is each line of text. What lies between is kept as well, and counted as noise: the records, one
 * behind the other, are the bytes that came.
 */
export class UbxFeed extends LinesFeed {
  override readonly cutsLines = false;

  protected override takeLines(window: LineWindow, batcher: Batcher): FeedStop {
    return this.takeRecords(window, batcher, false);
  }

  protected override takeLast(window: LineWindow, batcher: Batcher): FeedStop {
    return this.takeRecords(window, batcher, true);
  }

  private takeRecords(window: LineWindow, batcher: Batcher, isAtEnd: boolean): FeedStop {
    while (window.at < window.end) {
      const start = window.at;
      const cut = cutRecord(window.bytes, start, window.end, isAtEnd);
      if (!cut) return 'empty';
      const stop = this.takeLine(window, cut.end, batcher);
      if (cut.isNoise && window.at > start) this.noiseBytes += cut.end - start;
      if (stop !== 'empty') return stop;
    }
    return 'empty';
  }
}

function cutRecord(bytes: Uint8Array, start: number, end: number, isAtEnd: boolean): Cut | undefined {
  if (mayBeUbx(bytes, start, end)) {
    const packet = readUbx(bytes, start, end);
    if (packet.state === 'right') return { end: packet.end, isNoise: false };
    if (packet.state === 'unfinished' && !isAtEnd) return undefined;
    return cutText(bytes, start, start + 1, end, isAtEnd);
  }
  return cutText(bytes, start, start, end, isAtEnd);
}

/** Up to a line feed, or to what may be a packet. */
function cutText(
  bytes: Uint8Array,
  start: number,
  from: number,
  end: number,
  isAtEnd: boolean,
): Cut | undefined {
  const limit = Math.min(end, start + textBytesMax);
  let isNoise = from > start;
  for (let at = from; at < limit; at++) {
    const byte = bytes[at];
    if (byte === LF) return { end: at + 1, isNoise };
    if (byte === ubxSync && mayBeUbx(bytes, at, end) && (at + 1 < end || !isAtEnd)) {
      return at + 1 < end ? { end: at, isNoise: true } : undefined;
    }
    if (!isText(byte)) isNoise = true;
  }
  return limit < end || isAtEnd ? { end: limit, isNoise: isNoise || limit < end } : undefined;
}

/** Printable ASCII, tab and carriage return. */
const isText = (byte: number): boolean => (byte >= 32 && byte < 127) || byte === 9 || byte === 13;
