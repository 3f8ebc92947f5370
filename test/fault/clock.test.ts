import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CloudProcess } from '../support/cloud-process.js';
import { ended, start } from '../support/run-command.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const library = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((path) => existsSync(path));
const gps = resolve(import.meta.dirname, '../support/gps-child.js');

const waitMsMax = 40_000;
/** What a machine under load may take from a line's writing to its reading, and NMEA's own doubt. */
const toleranceUs = 5e6;

/** A record with its time, and the truth to 10 ms, which the sentence tells. */
interface Out {
  timeUs: number;
  trueUs: number;
}

/** Real processes; only what they read as wall clock is false. */
describe('a gateway whose wall clock is wrong', function () {
  let folder: Awaited<ReturnType<typeof tempFolder>>;
  let cloud: CloudProcess;

  before(function () {
    if (library !== undefined) return;
    console.log('      skipped: needs libfaketime (apt-get install faketime)');
    this.skip();
  });

  beforeEach(async () => {
    folder = await tempFolder('clock');
    cloud = await CloudProcess.serve(join(folder.path, 'cloud'));
  });

  afterEach(async () => {
    await cloud[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  /** Runs a gateway with a receiver until `done` says so, then stops it and lets another start bring the rest over. */
  async function drive(
    blindMs: number,
    wallClock: Record<string, string>,
    meanwhile: (events: () => Promise<string[]>) => Promise<void>,
  ): Promise<void> {
    const config = join(folder.path, 'truck.yaml');
    await writeFile(
      config,
      JSON.stringify({
        gateway: 'truck-17',
        data: './truck',
        uplink: { url: `mqtt://127.0.0.1:${cloud.mqttPort}` },
        streams: {
          gps0: {
            source: 'command',
            format: 'lines',
            clock: true,
            command: [
              process.execPath,
              gps,
              String(Date.now() - Number(process.hrtime.bigint()) / 1e6),
              String(blindMs),
            ],
          },
        },
      }),
    );
    const environment = { LD_PRELOAD: library!, FAKETIME_DONT_FAKE_MONOTONIC: '1', ...wallClock };
    const gateway = start('gateway/dist/cli/bin.js', ['--config', config, '--quiet'], environment);
    const end = ended(gateway);
    try {
      await meanwhile(async () =>
        (await lines('events')).map((line) => (JSON.parse(line) as { type: string }).type),
      );
    } finally {
      gateway.kill('SIGTERM');
    }
    const { status, stderr } = await end;
    assert.equal(status, 0, stderr);
  }

  /** What an export gives as NDJSON; nothing while there is no such stream. */
  async function lines(stream: string, times = 'corrected'): Promise<string[]> {
    const query = new URLSearchParams({ gateway: 'truck-17', stream, format: 'ndjson', times });
    const answer = await fetch(`${cloud.httpUrl}/v1/export?${query.toString()}`);
    return answer.ok ? (await answer.text()).split('\n').slice(0, -1) : [];
  }

  async function records(times: string): Promise<Out[]> {
    return (await lines('gps0', times)).map((line) => {
      const { time, text } = JSON.parse(line) as { time: string; text: string };
      const [, clock, , , , , , , , date] = text.split(',');
      const day = `20${date.slice(4, 6)}-${date.slice(2, 4)}-${date.slice(0, 2)}`;
      const hour = `${clock.slice(0, 2)}:${clock.slice(2, 4)}:${clock.slice(4)}`;
      return { timeUs: Date.parse(time) * 1000, trueUs: Date.parse(`${day}T${hour}Z`) * 1000 };
    });
  }

  const worstUs = (out: Out[]): number =>
    Math.max(...out.map(({ timeUs, trueUs }) => Math.abs(timeUs - trueUs)));
  const isOrdered = (out: Out[]): boolean =>
    out.every(
      ({ trueUs, timeUs }, i) => i === 0 || (timeUs >= out[i - 1].timeUs && trueUs >= out[i - 1].trueUs),
    );

  async function untilEvent(events: () => Promise<string[]>, type: string): Promise<void> {
    await until(type, async () => (await events()).includes(type), waitMsMax);
  }

  async function untilRecords(count: number): Promise<void> {
    await until(`${count} records`, async () => (await lines('gps0')).length >= count, waitMsMax);
  }

  it('boots in 1970: when GPS has set it, everything since the boot has its right time', async () => {
    await drive(3000, { FAKETIME: '@1970-01-01 00:01:00' }, (events) => untilEvent(events, 'clock.step'));
    const original = await records('original');
    assert.ok(original[0].timeUs < 3600e6);
    const corrected = await records('corrected');
    assert.ok(corrected.length > 15);
    assert.ok(worstUs(corrected) < toleranceUs, `${worstUs(corrected)} µs`);
    assert.ok(isOrdered(corrected));
  });

  it('is an hour ahead, and steps back: the hour is taken from everything, in order', async () => {
    const file = join(folder.path, 'wall-clock');
    await writeFile(file, '+3600');
    const wallClock = { FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1' };
    await drive(1e9, wallClock, async (events) => {
      await untilRecords(10);
      await writeFile(file, '+0');
      await untilEvent(events, 'clock.step');
      await untilRecords(25);
    });
    assert.ok(worstUs(await records('original')) > 3590e6);
    const corrected = await records('corrected');
    assert.ok(corrected.length >= 25);
    assert.ok(worstUs(corrected) < toleranceUs, `${worstUs(corrected)} µs`);
    assert.ok(isOrdered(corrected));
  });
});
