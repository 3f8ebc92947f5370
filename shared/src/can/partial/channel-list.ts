import { malformedPayload } from '../../batch/payload.js';
import type { Channels } from '../codec/channels.js';
import { canonicalDlc, FRAME_DATA_BYTES_MAX } from '../frames.js';
import type { PlainBits } from './plain-bits.js';

/** Reads at most `countMax` channels, as ../codec/channels.ts writes them; their buses have names. */
export function readChannelList(plain: PlainBits, channels: Channels, countMax: number, buses: number): void {
  channels.clear();
  const count = plain.numberUpTo(countMax);
  let [bus, flags, dlc, length] = [0, 0, 0, 0];
  for (let i = 0; i < count; i++) {
    const isAsBefore = plain.bits(1) === 1;
    if (isAsBefore && i === 0) throw malformedPayload('the first channel has none before it');
    if (!isAsBefore) {
      [bus, flags, length] = [plain.bits(8), plain.bits(8), plain.bits(7)];
      if (bus >= buses) throw malformedPayload('a bus has no name');
      if (length > FRAME_DATA_BYTES_MAX) throw malformedPayload('a frame is too long');
      dlc = plain.bits(1) === 1 ? canonicalDlc(flags, length) : plain.bits(8);
    }
    const id = plain.bits(1) === 1 ? plain.word() : plain.bits(11);
    channels.add(id, bus, flags, dlc, length);
  }
}
