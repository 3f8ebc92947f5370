import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { GatewayReport, IdsReport } from '#gateway/control/status.js';
import { ended, start } from '../support/run-command.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

const bin = 'gateway/dist/cli/bin.js';

/** A second of a bus: 100 frames of 1A0 with 8 bytes, 10 of a long identifier, an error frame at the end. */
const second = (at: number): string =>
  Array.from({ length: 110 }, (_, i) => {
    const time = (1_700_000_000 + at + i / 110).toFixed(6);
    return i % 11 === 10
      ? `(${time}) can0 18FEF100#0102\n`
      : `(${time}) can0 1A0#${i.toString(16).toUpperCase().padStart(16, '0')}\n`;
  }).join('');

describe('the buses of a running gateway', () => {
  it('are in its status, in its table of identifiers, and in its metrics', async () => {
    await using folder = await tempFolder('buses');
    const recording = join(folder.path, 'drive.candump');
    const text = Array.from({ length: 8 }, (_, i) => second(i)).join('');
    await writeFile(recording, `${text}(1700000008.000000) can0 20000004#0008000000000000\n`);
    const config = join(folder.path, 'truck.yaml');
    await writeFile(
      config,
      JSON.stringify({
        gateway: 'truck-17',
        data: './data',
        metrics: '127.0.0.1:0',
        uplink: { url: 'mqtt://127.0.0.1:1' },
        streams: {
          can0: {
            source: 'command',
            command: ['sh', '-c', `cat '${recording}'; exec sleep 600`],
            format: 'candump',
            bitrate: 500_000,
            batch: { linger: '50ms' },
          },
        },
      }),
    );
    const gateway = start(bin, ['--config', config]);
    let log = '';
    gateway.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const status = async (...flags: string[]): Promise<string> => {
      const {
        status: code,
        stdout,
        stderr,
      } = await ended(start(bin, ['status', '--config', config, ...flags]));
      assert.equal(code, 0, stderr);
      return stdout.toString();
    };
    try {
      const url = await until('metrics', () => /Metrics are at (http:\S+)\./.exec(log)?.[1], 60_000);
      const report = await until(
        'all frames',
        async () => {
          const text = await status('--ids', '--json').catch(() => '');
          if (text === '') return undefined;
          const parsed = JSON.parse(text) as GatewayReport & { ids: IdsReport };
          return parsed.streams[0].buses?.[0]?.frames === 880 ? parsed : undefined;
        },
        60_000,
      );
      const [bus] = report.streams[0].buses!;
      assert.deepEqual([bus.bus, bus.bitrate, bus.errorFrames], ['can0', 500_000, 1]);
      const [short, long] = report.ids['can0'];
      assert.deepEqual(
        [short.id, short.frames, short.data, long.id, long.frames, long.data],
        ['1A0', 800, '000000000000006C', '18FEF100', 80, '0102'],
      );
      const table = await status('--ids');
      assert.match(table, /^can0 +can0 +500 +[\d.]+ % +\d+ +880 +1 /m);
      assert.match(table, /^can0 +can0 +18FEF100 .* 80 +2023-11-14T22:13:27\.990Z +0102$/m);
      const metrics = await (await fetch(`${url}?ids=1`)).text();
      assert.match(metrics, /^fleetlog_can_frames_total\{stream="can0",bus="can0"\} 880$/m);
      assert.match(metrics, /^fleetlog_can_error_frames_total\{stream="can0",bus="can0"\} 1$/m);
      assert.match(metrics, /^fleetlog_can_load_ratio\{stream="can0",bus="can0"\} [\d.e-]+$/m);
      assert.match(metrics, /^fleetlog_can_id_frames_total\{stream="can0",bus="can0",id="1A0"\} 800$/m);
      for (const [, name] of metrics.matchAll(/^# TYPE (\S+)/gm)) {
        assert.equal(metrics.split(`# TYPE ${name} `).length, 2, `${name} is described once`);
      }
      assert.ok(!(await (await fetch(url)).text()).includes('id_frames'));
      assert.equal((await fetch(new URL('/', url))).status, 404);
      assert.match(await status('--metrics'), /^fleetlog_gateway_connected 0$/m);
    } finally {
      gateway.kill('SIGTERM');
      await ended(gateway);
    }
    assert.match(await status('--ids'), /must run for its identifiers to be known/);
  }).timeout(120_000);
});
