import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { decodeBatch } from '@fleetlog/shared/batch';
import { decodeCan } from '@fleetlog/shared/can';
import { isFleetlogError } from '@fleetlog/shared/errors';
import type { FormatName } from '#cloud/export/formats.js';
import { importFile } from '#cloud/import/import-file.js';
import type { ImportFormat } from '#cloud/import/formats.js';
import { mixedFrames } from '../support/mixed-frames.js';
import { tempFolder } from '../support/temp-folder.js';
import { writeExport } from '../support/write-export.js';

const frames = 300;
const written: readonly (FormatName & ImportFormat)[] = ['candump', 'asc', 'blf', 'trc', 'mf4', 'mcap'];
const formats: readonly ImportFormat[] = [...written, 'gvret'];

/** The CSV of SavvyCAN, which no export writes. */
const gvretText = (): string =>
  `Time Stamp,ID,Extended,Dir,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8\n${Array.from(
    { length: frames },
    (_, i) => `${1_600_000_000_000_000 + i},0000010${i % 8},false,Rx,0,3,0${i % 10},FF,1C,\n`,
  ).join('')}`;

async function fileOf(format: ImportFormat, folder: string): Promise<Buffer> {
  if (format === 'gvret') return Buffer.from(gvretText());
  const path = join(folder, 'whole');
  await writeExport(path, format as FormatName, mixedFrames(11, frames));
  return readFileSync(path);
}

/** Every frame of the batches that an import sends, which must be sound, as text; or the error's code. */
async function imported(path: string, format: ImportFormat): Promise<string[] | string> {
  const found: string[] = [];
  try {
    await importFile({
      path,
      gateway: 'truck-17',
      stream: 'can0',
      format,
      zoneUs: 0,
      nowUs: () => 1_790_000_000_000_000,
      send: async (_stream, batches) => {
        for (const bytes of batches) {
          const batch = decodeBatch(bytes);
          if (batch.header.kind !== 'can') continue;
          const { count, id, flags, data, dataStart } = decodeCan(batch);
          for (let i = 0; i < count; i++) {
            const hex = Buffer.from(data.subarray(dataStart[i], dataStart[i + 1])).toString('hex');
            found.push(`${id[i]} ${flags[i]} ${hex}`);
          }
        }
        return { added: batches.length, known: 0 };
      },
    });
  } catch (error) {
    if (!isFleetlogError(error)) throw error;
    assert.equal(error.class, 'usage', error.message);
    assert.match(error.message, /^[^\n]+[.]$/);
    return error.code;
  }
  return found;
}

const kinds = ['flip', 'digit', 'cut', 'insert', 'repeat', 'drop'] as const;

interface Change {
  /** Part of the file before it. */
  at: number;
  kind: (typeof kinds)[number];
  bytes: Uint8Array;
}

const change: fc.Arbitrary<Change> = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  kind: fc.constantFrom('flip', ...kinds),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
});

const digits = '0123456789abcdefx-. ,\n#';

function changed(whole: Uint8Array, { at, kind, bytes }: Change): Uint8Array {
  const place = Math.floor(at * whole.length);
  const [head, tail] = [whole.subarray(0, place), whole.subarray(place)];
  const behind = {
    flip: [Uint8Array.of(tail[0] ^ (1 << (bytes[0] & 7))), tail.subarray(1)],
    digit: [Buffer.from(digits[bytes[0] % digits.length]), tail.subarray(1)],
    cut: [],
    insert: [bytes, tail],
    repeat: [tail.subarray(0, 40 * bytes.length), tail],
    drop: [tail.subarray(bytes.length)],
  };
  return Buffer.concat([head, ...behind[kind]]);
}

/** Each with one frame that is whole, behind one whose length is no number. */
const withoutLength: Partial<Record<ImportFormat, string>> = {
  asc: 'base hex timestamps absolute\n0.1 CANFD 1 Rx 300 1 0 8 x 01 02\n0.2 1 300 Rx d 2 01 02\n',
  gvret:
    'Time Stamp,ID,Extended,Bus,LEN,D1,D2\n1600000000000000,100,false,0,,1,2\n1600000000000001,300,false,0,2,1,2\n',
};

describe('recordings that are damaged', () => {
  for (const [format, text] of Object.entries(withoutLength)) {
    it(`give no frame for a line without its length: ${format}`, async () => {
      await using folder = await tempFolder('hostile');
      const path = join(folder.path, 'recording');
      writeFileSync(path, text);
      const found = await imported(path, format as ImportFormat);
      assert.ok(Array.isArray(found) && found.length === 1 && found[0].endsWith(' 0102'), String(found));
    });
  }

  for (const format of formats) {
    it(`give sound batches, or one sentence: ${format}`, async () => {
      await using folder = await tempFolder('hostile');
      const whole = await fileOf(format, folder.path);
      const path = join(folder.path, 'damaged');
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
          writeFileSync(path, changes.reduce<Uint8Array>(changed, whole));
          await imported(path, format);
        }),
        { numRuns: 60 },
      );
    });

    it(`give the frames before their end where they are cut: ${format}`, async () => {
      await using folder = await tempFolder('hostile');
      const whole = await fileOf(format, folder.path);
      const path = join(folder.path, 'cut');
      writeFileSync(path, whole);
      const all = await imported(path, format);
      assert.ok(Array.isArray(all) && all.length === frames, String(all.length));
      for (let part = 1; part < 20; part++) {
        writeFileSync(path, whole.subarray(0, Math.floor((part / 20) * whole.length)));
        const found = await imported(path, format);
        if (!Array.isArray(found)) continue;
        // The last line of a text may be cut within its data and still be a frame.
        const sure = Math.max(0, found.length - 1);
        assert.deepEqual(found.slice(0, sure), all.slice(0, sure), `${part} of 20`);
      }
    });
  }
});
