import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeLines } from '@fleetlog/shared/batch';
import { systemClock } from '@fleetlog/shared/util';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CollectingSink } from '../support/collecting-sink.js';
import { sent } from '../support/batches.js';
import { sentence } from '../support/nmea.js';
import { never, sourceOf } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';
import { navPvt, ubx } from '../support/ubx.js';

/** What the source makes of a file, as `latin1`. */
async function recordsOf(bytes: Uint8Array): Promise<{ records: string[]; noiseBytes: number }> {
  await using folder = await tempFolder('ubx');
  const path = join(folder.path, 'drive.ubx');
  await writeFile(path, bytes);
  const sink = new CollectingSink();
  const source = sourceOf({ source: 'file', format: 'ubx', path }, { clock: systemClock });
  await source.run(sink, undefined, never);
  const records = sink.batches.flatMap(({ payload }) => {
    const lines = decodeLines(sent(payload));
    return Array.from({ length: lines.count }, (_, i) => Buffer.from(lines.line(i)).toString('latin1'));
  });
  return { records, noiseBytes: source.counters.noiseBytes ?? 0 };
}

const packet = navPvt({ timeMs: Date.UTC(2026, 1, 23, 10) }).toString('latin1');
const line = `${sentence('GNTXT,01,01,02,u-blox')}\r\n`;
const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('what a u-blox receiver sends', () => {
  it('is a record for each packet and each line, mixed as they come', async () => {
    const withLineFeed = ubx(0x0a, 0x04, latin1('a\nb\n')).toString('latin1');
    const parts = [line, packet, withLineFeed, line, line, packet];
    assert.deepEqual(await recordsOf(latin1(parts.join(''))), { records: parts, noiseBytes: 0 });
  });

  it('is found again behind noise, half packets and wrong checksums, which are kept and counted', async () => {
    const damaged = `${packet.slice(0, 40)}X${packet.slice(41)}`;
    const half = packet.slice(0, 30);
    const noise = '\x00\xff\xb5\x00\xb5';
    const { records, noiseBytes } = await recordsOf(
      latin1(damaged + packet + half + packet + noise + packet + line + packet.slice(0, 50)),
    );
    assert.equal(records.filter((one) => one === packet).length, 3);
    assert.ok(records.includes(line));
    assert.equal(
      records.join(''),
      damaged + packet + half + packet + noise + packet + line + packet.slice(0, 50),
    );
    assert.equal(noiseBytes, damaged.length + half.length + noise.length + 50);
  });

  it('is, record behind record, the bytes that came, whatever they are', async () => {
    const piece = fc.oneof(
      fc.constant(packet),
      fc.constant(line),
      fc.constantFrom('\xb5', '\xb5b', '\n', '$', '\xb5b\x01\x07\xff\x1f'),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
        const all = pieces.join('');
        const { records } = await recordsOf(latin1(all));
        assert.equal(records.join(''), all);
      }),
      { numRuns: 60 },
    );
  });
});
