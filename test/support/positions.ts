import { decodeLines } from '@fleetlog/shared/batch';
import { LineReader } from '#cloud/signals/gps/line-reader.js';
import { PositionReader } from '#cloud/signals/gps/position-reader.js';
import type { Fix } from '#cloud/signals/gps/position.js';
import { sent } from './batches.js';
import type { CollectingSink } from './collecting-sink.js';

/** What the lines of a source come to when the cloud decodes them. */
export interface DecodedLines {
  fixes: Fix[];
  /** Reports by type. */
  types: Record<string, number>;
  wrongChecksums: number;
}

export function decodePositions({ batches }: CollectingSink): DecodedLines {
  const decoded: DecodedLines = { fixes: [], types: {}, wrongChecksums: 0 };
  const reader = new LineReader();
  const positions = new PositionReader((_timeUs, fix) => decoded.fixes.push(fix.slice()));
  for (const { payload } of batches) {
    const lines = decodeLines(sent(payload));
    for (let i = 0; i < lines.count; i++) {
      const report = reader.read(lines.bytes, lines.lineStart[i], lines.lineStart[i + 1], lines.timeUs(i));
      if (report === 'wrong checksum') decoded.wrongChecksums++;
      if (report === undefined || report === 'wrong checksum') continue;
      decoded.types[report.type] = (decoded.types[report.type] ?? 0) + 1;
      positions.take(report, lines.timeUs(i));
    }
  }
  positions.finish();
  return decoded;
}
