import assert from 'node:assert/strict';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Formatter } from '#cloud/export/formatter.js';
import { formats, type FormatName } from '#cloud/export/formats.js';
import { generateSecond } from '../support/generate-frames.js';
import { exportedAs } from '../support/write-export.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Everything that is alive. */
function heldBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A whole number of runs makes a row group, so that none is half full when memory is measured. */
const runFrames = 1024;
/** Of 262,144 frames: places of row groups or of chunks. */
const growthBytesMax = 128 * 1024;

describe('what an export holds in memory', () => {
  for (const [name, { kinds, create }] of Object.entries(formats)) {
    if (!(kinds as readonly string[]).includes('can')) continue;
    it(`does not grow with what was written: ${name as FormatName}`, () => {
      const frames = generateSecond(1);
      const formatter: Formatter = create({ several: false });
      const records = { kind: 'can', columns: frames } as const;
      const write = (runs: number): void => {
        for (let i = 0; i < runs; i++) {
          frames.baseTimeUs += 1_000_000;
          formatter.format(records, 0, runFrames, exportedAs);
        }
      };
      write(256);
      const before = heldBytes();
      write(256);
      const growth = heldBytes() - before;
      assert.ok(growth < growthBytesMax, `${growth} bytes more`);
      assert.ok(formatter.kinds.includes('can'));
    });
  }
});
