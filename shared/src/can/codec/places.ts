import type { Channels } from './channels.js';

/** Where the data of each channel's frames start, channel by channel. Reused from batch to batch. */
export class Places {
  /** Start of each frame's data: first those of channel 0 in order of time, then those of channel 1, and so on. */
  dataStart = new Uint32Array(0);
  private next = new Int32Array(0);

  sort(channels: Channels, channelOf: Int32Array, dataStart: Uint32Array, count: number): void {
    if (this.dataStart.length < count) this.dataStart = new Uint32Array(2 * count);
    if (this.next.length < channels.count) this.next = new Int32Array(2 * channels.count);
    const { next, dataStart: sorted } = this;
    let start = 0;
    for (let i = 0; i < channels.count; i++) {
      next[i] = start;
      start += channels.frames[i];
    }
    for (let i = 0; i < count; i++) sorted[next[channelOf[i]]++] = dataStart[i];
  }
}

/**
 * The data as words of four bytes, little-endian as all machines are that Fleetlog runs on; where each frame starts and
 * ends at one, which is the rule: most frames have 8 bytes.
 */
export function wordsOf(channels: Channels, data: Uint8Array): Uint32Array | undefined {
  let odd = data.byteOffset;
  for (let i = 0; i < channels.count; i++) odd |= channels.length[i];
  return odd % 4 === 0 ? new Uint32Array(data.buffer, data.byteOffset, data.length >> 2) : undefined;
}
