import { CANDUMP_LINE_BYTES_MAX, CandumpParser, lineReason, lineResult } from '@fleetlog/shared/can';
import { FrameBatch, type RecordingOut } from './out.js';
import type { Recording } from './recording.js';

const LF = 0x0a;

/** `candump -L`: what goes in comes out byte for byte, unless its times are moved. */
export async function* readCandump(recording: Recording, out: RecordingOut): AsyncGenerator<void> {
  const batch = out.framesOf();
  const parser = new CandumpParser();
  parser.spanUs = FrameBatch.spanUs;
  let rest: Uint8Array = new Uint8Array(0);
  let number = 0;
  let isFirst = true;

  const take = (bytes: Uint8Array, at: number, end: number, isWhole: boolean): void => {
    for (;;) {
      const result = isWhole
        ? parser.parseLine(bytes, at, batch.columns)
        : parser.parseUnterminated(bytes, at, end, batch.columns);
      if (result === lineResult.ok) {
        if (isFirst) {
          isFirst = false;
          parser.shiftUs = out.shiftFor(parser.timeUs);
          if (parser.shiftUs !== 0) {
            batch.columns.clear();
            continue; // once more, with the right time
          }
        }
        batch.added();
      } else if (result === lineResult.seal) {
        batch.seal();
        continue;
      } else {
        out.problem(`line ${number}`, lineReason(result));
      }
      return;
    }
  };

  for await (const chunk of recording.chunks()) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, at)) {
      number++;
      take(bytes, at, end, true);
      at = end + 1;
    }
    rest = bytes.slice(at);
    if (rest.length > CANDUMP_LINE_BYTES_MAX) rest = rest.slice(0, CANDUMP_LINE_BYTES_MAX + 1); // malformed anyway
    yield;
  }
  if (rest.length === 0) return;
  number++;
  take(rest, 0, rest.length, false);
}
