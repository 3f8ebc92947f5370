import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '@fleetlog/shared/util';
import { ApiClient } from '#cloud/client/api-client.js';
import type { ImportFormat } from '#cloud/import/formats.js';
import { importFile, type ImportedFile, type ImportFileOptions } from '#cloud/import/import-file.js';
import { packBatches } from '#cloud/import/wire.js';
import { CloudProcess } from '../support/cloud-process.js';
import { importedFrames } from '../support/imported-frames.js';
import { mixedFrames } from '../support/mixed-frames.js';
import { pythonCanVersion, readWithPythonCan } from '../support/python-can.js';
import { lineBatch } from '../support/recorded.js';
import { ended, start, type Ended } from '../support/run-command.js';
import { tempFolder } from '../support/temp-folder.js';
import { writeExport } from '../support/write-export.js';

const bin = 'cloud/dist/cli/fleetlog-bin.js';
const gateway = 'truck-17';
const recordings = '../shared/data/can-logs';
const python = process.env['FLEETLOG_TEST_PYTHON'] ?? 'python3';

describe('imports', () => {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let cloud: CloudProcess;
  let streams = 0;

  before(async () => {
    folder = await tempFolder('import');
    cloud = await CloudProcess.serve(join(folder.path, 'cloud'));
  });
  after(async () => {
    await cloud[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  const run = (...parameters: string[]): Promise<Ended> =>
    ended(start(bin, parameters, { FLEETLOG_URL: cloud.httpUrl }));

  /** As the command does, in this process. */
  function importAs(
    stream: string | undefined,
    path: string,
    more: Partial<ImportFileOptions> = {},
  ): Promise<ImportedFile> {
    const api = new ApiClient(cloud.httpUrl);
    return importFile({
      path,
      gateway,
      stream,
      zoneUs: 0,
      nowUs: () => systemClock.nowUs(),
      send: (name, batches) =>
        api.change(
          'POST',
          '/v1/import',
          { gateway: more.gateway ?? gateway, stream: name },
          packBatches(batches),
        ),
      ...more,
    });
  }

  async function exported(stream: string, format: string, from = gateway): Promise<Buffer> {
    const query = new URLSearchParams({ gateway: from, format });
    for (const name of stream.split(' ')) query.append('stream', name);
    const answer = await fetch(`${cloud.httpUrl}/v1/export?${query.toString()}`);
    assert.equal(answer.status, 200);
    return Buffer.from(await answer.bytes());
  }

  for (const format of ['candump', 'blf', 'asc', 'trc', 'mcap', 'mf4'] as const) {
    it(`give the same frames back: ${format}, in the log and out again`, async () => {
      const first = `a${++streams}`;
      const second = `b${streams}`;
      const path = join(folder.path, `${first}.${format}`);
      await writeExport(path, format, mixedFrames(streams, 3000));
      const { frames, problemCount, format: seen } = await importAs(first, path);
      assert.deepEqual({ frames, problemCount, seen }, { frames: 3000, problemCount: 0, seen: format });
      const out = await exported(first, format);
      // What the first writer doesn't know at its beginning stays zero in a stream: the head of a BLF.
      if (format === 'candump' || format === 'asc' || format === 'trc') {
        assert.ok(out.equals(readFileSync(path)), `${format} differs`);
      }
      const again = join(folder.path, `${second}.${format}`);
      writeFileSync(again, out);
      await importAs(second, again);
      assert.ok((await exported(first, 'ndjson')).equals(await exported(second, 'ndjson')));
    });
  }

  it('are in the log once, however often and under whatever name the file is imported', async () => {
    const path = join(folder.path, 'once.candump');
    await writeExport(path, 'candump', mixedFrames(7, 20_000));
    const first = await importAs('once', path);
    assert.ok(first.added > 1);
    const copy = join(folder.path, 'copy.log');
    writeFileSync(copy, readFileSync(path));
    const second = await importAs('once', copy);
    assert.deepEqual([second.added, second.known, second.epoch], [0, first.added, first.epoch]);
    assert.ok((await exported('once', 'candump')).equals(readFileSync(path)));
    const text = await run('import', '--gateway', gateway, '--stream', 'once', path);
    assert.match(text.stdout.toString(), /candump, 20,000 frames, .* was in the log before\n$/);
    const gaps = await fetch(`${cloud.httpUrl}/v1/gaps?gateway=${gateway}`);
    assert.equal(((await gaps.json()) as { batches: { missing: number } }).batches.missing, 0);
    const fleet = await (await fetch(`${cloud.httpUrl}/v1/gateways`)).text();
    assert.match(fleet, /"gateway":"truck-17","connected":false/, 'a recording has nobody who is connected');
  });

  it('go on where one broke off', async () => {
    const path = join(folder.path, 'long.candump');
    await writeExport(path, 'candump', mixedFrames(8, 150_000));
    const api = new ApiClient(cloud.httpUrl);
    let requests = 0;
    const send: ImportFileOptions['send'] = (stream, batches) => {
      if (++requests > 1) throw new Error('broken off');
      return api.change('POST', '/v1/import', { gateway, stream }, packBatches(batches));
    };
    await assert.rejects(importAs('long', path, { send }), /broken off/);
    const rest = await importAs('long', path);
    assert.equal(rest.frames, 150_000);
    assert.ok(rest.known > 0 && rest.added > 0, `${rest.known} known, ${rest.added} added`);
    assert.ok((await exported('long', 'candump')).equals(readFileSync(path)));
  });

  it('tell what is wrong by line, leave it out, and refuse what is nothing at all', async () => {
    const path = join(folder.path, 'odd.candump');
    writeFileSync(path, '(1000000000.000000) can0 123#00\nwhat is this\n(1000000000.000001) can0 124#00\n');
    const { status, stderr, stdout } = await run('import', '--gateway', gateway, '--stream', 'odd', path);
    assert.equal(status, 0);
    assert.match(stderr, /odd\.candump: line 2: .+\n$/);
    assert.match(stdout.toString(), /2 frames, .*, 1 left out\n$/);
    const nothing = join(folder.path, 'nothing.asc');
    writeFileSync(nothing, 'nothing\n');
    const empty = await run(
      'import',
      '--gateway',
      gateway,
      '--stream',
      'odd',
      '--format',
      'candump',
      nothing,
    );
    assert.equal(empty.status, 2);
    assert.match(empty.stderr, /nothing that reads as candump: line 1: /);
    await assert.rejects(importAs('odd', '/nowhere'), /ENOENT/);
    await assert.rejects(importAs('odd', path, { gateway: 'Truck' }), /can't be the id of a gateway/);
  });

  it('place files without a date by --start, and local times by --zone', async () => {
    const csv = join(folder.path, 'savvy.csv');
    writeFileSync(
      csv,
      'Time Stamp,ID,Extended,Bus,LEN,D1,D2,D3,D4,D5,D6,D7,D8\n' +
        '166064000,0000021A,false,0,2,FE,36,\n166064250,18FEF100,true,1,1,07,\n',
    );
    await assert.rejects(importAs('csv', csv), /no date; say when its first frame was with --start/);
    await importAs('csv', csv, { startUs: 1_777_887_000_000_000 });
    assert.equal(
      (await exported('csv', 'candump')).toString(),
      '(1777887000.000000) can0 21A#FE36\n(1777887000.000250) can1 18FEF100#07\n',
    );
    const asc = join(folder.path, 'local.asc');
    writeFileSync(
      asc,
      'date Mit Mai 6 02:30:00.500 pm 2026\nbase dec  timestamps relative\n' +
        '1.000000 1  291  Rx   d 2 16 255\n0.500000 2  291x  Tx   d 0\n',
    );
    await importAs('asc', asc, { zoneUs: 7_200_000_000 });
    assert.equal(
      (await exported('asc', 'candump')).toString(),
      '(1778070601.500000) can0 123#10FF R\n(1778070602.000000) can1 00000123# T\n',
    );
  });

  it('keep the names of streams, and lines byte for byte, from MCAP', async () => {
    const nmea = Buffer.from('$GPGGA,1*00\r\n\xff\xfe\n$GPRMC,2*00\n', 'latin1');
    const frames = join(folder.path, 'two.candump');
    await writeExport(frames, 'candump', mixedFrames(9, 100));
    await importAs('can7', frames);
    await fetch(`${cloud.httpUrl}/v1/import?gateway=${gateway}&stream=gps7`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: lines(nmea),
    });
    const path = join(folder.path, 'two.mcap');
    writeFileSync(path, await exported('can7 gps7', 'mcap'));
    const result = await importAs(undefined, path, { gateway: 'bus-4' });
    assert.deepEqual([result.streams.sort(), result.frames, result.lines], [['can7', 'gps7'], 100, 3]);
    assert.ok((await exported('gps7', 'lines', 'bus-4')).equals(nmea));
    await assert.rejects(importAs('x', path, { gateway: 'bus-5' }), /several streams/);
  });
});

/** A request's body: one batch of lines. */
function lines(text: Uint8Array): Uint8Array<ArrayBuffer> {
  const parts = Buffer.from(text)
    .toString('latin1')
    .split(/(?<=\n)/);
  const records = parts.map((part, i) => ({
    timeUs: 1_790_000_000_000_000 + i,
    text: Buffer.from(part, 'latin1'),
  }));
  const batch = lineBatch(records, { gateway, stream: 'gps7', epoch: '1111111111111111', sequence: 0 });
  const length = Buffer.alloc(4);
  length.writeUInt32LE(batch.length);
  return Uint8Array.from(Buffer.concat([length, batch]));
}

describe('imported recordings and python-can', () => {
  before(function () {
    if (pythonCanVersion()) return;
    console.log('      skipped: python3 has no python-can');
    this.skip();
  });

  for (const format of ['blf', 'asc'] as const) {
    it(`agree on what python-can writes as ${format}`, async function () {
      this.timeout(60_000);
      await using folder = await tempFolder('import');
      const source = join(folder.path, 'source.log');
      const path = join(folder.path, `written.${format}`);
      await writeExport(source, 'candump', mixedFrames(20_261_124, 3000));
      execFileSync(python, ['test/support/convert_with_python_can.py', source, path], {
        env: { ...process.env, TZ: 'UTC' },
      });
      const { frames, problems } = await importedFrames(path, format);
      assert.deepEqual(problems, []);
      assert.deepEqual(frames.length, 3000);
      assert.deepEqual(frames.filter(isTold), readWithPythonCan(path).filter(isTold));
    });
  }

  const files: [name: string, format: ImportFormat][] = [
    ['python-can/issue_1256.asc', 'asc'],
    ['python-can/logfile.asc', 'asc'],
    ['python-can/test_CanErrorFrames.asc', 'asc'],
    ['python-can/test_CanFdMessage.asc', 'asc'],
    ['python-can/test_CanMessage.asc', 'asc'],
    ['python-can/test_CanFdMessage.blf', 'blf'],
    ['python-can/test_CanMessage.blf', 'blf'],
    ['python-can/test_CanMessage_V1_1.trc', 'trc'],
    ['python-can/test_CanMessage_V1_3.trc', 'trc'],
    ['python-can/test_CanMessage_V2_1.trc', 'trc'],
    ['canboat/sample3_PCAN-View.trc', 'trc'],
  ];
  it('agree on every frame of real recordings', async function () {
    this.timeout(120_000);
    if (!existsSync(recordings)) {
      console.log(`      skipped: ${recordings} isn't there`);
      this.skip();
    }
    for (const [name, format] of files) {
      const path = join(recordings, name);
      const { frames, problems } = await importedFrames(path, format);
      assert.deepEqual(problems, [], name);
      const known = readWithPythonCan(path).map((message) =>
        format === 'trc' ? { ...message, channel: message.channel - 1 } : message,
      );
      assert.deepEqual(frames.filter(isTold), known.filter(isTold), name);
    }
  });
});

/** Both read error frames, of which most formats tell no more than the time. */
const isTold = ({ type }: { type: string }): boolean => type !== 'error';

describe('imported MF4', () => {
  it('holds the frames that its publishers count, whether the recorder finished it or not', async function () {
    this.timeout(60_000);
    if (!existsSync(recordings)) {
      console.log(`      skipped: ${recordings} isn't there`);
      this.skip();
    }
    const counts: Record<string, number> = {
      '11111111/00000012/00000001.MF4': 57_849,
      '17BD1DB7/00000006/00000170.MF4': 2010,
      '3BA199E2/00000164/00000001-60FE3F04.MF4': 65_296,
      '3BA199E2/00000164/00000002-60FE415D.MF4': 73_785,
      '3BA199E2/00000164/00000005-60FEB5A8.MF4': 5477,
      'FCBF0606/00003482/00000001-60B621D9.MF4': 1815,
    };
    for (const [name, count] of Object.entries(counts)) {
      const { frames, problems } = await importedFrames(join(recordings, 'canedge', name), 'mf4');
      assert.deepEqual(problems, [], name);
      assert.equal(frames.length, count, name);
    }
  });
});
