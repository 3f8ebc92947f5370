import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Json } from '@duckdb/node-api';
import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CAN_SFF_MASK,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_TX,
  type CanFrames,
} from '@fleetlog/shared/can';
import { ParquetFormatter } from '#cloud/export/parquet.js';
import { duckRows } from '../support/duck-rows.js';
import { generateSecond } from '../support/generate-frames.js';
import { mixedFrames } from '../support/mixed-frames.js';
import { tempFolder } from '../support/temp-folder.js';
import { exportedAs, writeExport } from '../support/write-export.js';

const expected = (frames: CanFrames): Json[][] =>
  Array.from({ length: frames.count }, (_, i) => {
    const id = frames.id[i];
    const flags = frames.flags[i];
    const isFd = (flags & FRAME_FD) !== 0;
    const isLong = (id & (CAN_EFF_FLAG | CAN_ERR_FLAG)) !== 0;
    const data = frames.data.subarray(frames.dataStart[i], frames.dataStart[i + 1]);
    return [
      exportedAs.gateway,
      exportedAs.stream,
      String(frames.timeUs(i)),
      frames.buses[frames.bus[i]],
      isLong ? id & (CAN_ERR_FLAG | CAN_EFF_MASK) : id & CAN_SFF_MASK,
      isLong,
      id & CAN_ERR_FLAG ? 'error' : id & CAN_RTR_FLAG ? 'remote' : isFd ? 'fd' : 'data',
      isFd && (flags & FRAME_BRS) !== 0,
      isFd && (flags & FRAME_ESI) !== 0,
      flags & FRAME_TX ? 'tx' : 'rx',
      isFd ? data.length : frames.dlc[i],
      Buffer.from(data).toString('hex').toUpperCase(),
    ];
  });

describe('Parquet exports and DuckDB', () => {
  it('agree on every frame, over several row groups', async function () {
    this.timeout(60_000);
    await using folder = await tempFolder('parquet');
    const path = join(folder.path, 'export.parquet');
    const frames = mixedFrames(20_261_123, 40_000);
    await writeExport(path, 'parquet', frames);
    const rows = await duckRows(
      `select gateway, stream, epoch_us(time), bus, id, extended, type, brs, esi, direction, dlc, hex(data)
       from '${path}'`,
    );
    assert.deepEqual(rows, expected(frames));
    const groups = await duckRows(`select count(distinct row_group_id) from parquet_metadata('${path}')`);
    assert.deepEqual(groups, [['5']]);
  });

  it('are whole where the list of row groups is long', async () => {
    await using folder = await tempFolder('parquet');
    const path = join(folder.path, 'export.parquet');
    const frames = generateSecond(1);
    const formatter = new ParquetFormatter();
    const rows = 300_000;
    const pieces: Uint8Array[] = [];
    for (let left = rows; left > 0; left -= frames.count) {
      frames.baseTimeUs += 1_000_000;
      const count = Math.min(left, frames.count);
      pieces.push(formatter.format({ kind: 'can', columns: frames }, 0, count, exportedAs).slice());
    }
    await writeFile(path, [...pieces, formatter.end()]);
    const found = await duckRows(
      `select count(*), count(distinct time), (select count(distinct row_group_id) from parquet_metadata('${path}')) > 15,
        (select num_rows from parquet_file_metadata('${path}')) from '${path}' where id > 0`,
    );
    const [[count, times, isLong, told]] = found;
    assert.deepEqual([count, isLong, told], [String(rows), true, String(rows)]);
    assert.ok(Number(times) > rows / 2);
  });
});
