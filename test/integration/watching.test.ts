import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import { sentence } from '../support/nmea.js';
import { append, lineBatch } from '../support/recorded.js';
import { ended, start } from '../support/run-command.js';
import { serveCloud } from '../support/serving-cloud.js';
import { tempFolder } from '../support/temp-folder.js';

const gateway = 'truck-17';
const startUs = Date.UTC(2026, 10, 23, 8) * 1000;
const seconds = 600;
/** Due east along 48° N, 0.0002° (14.9 m) a second; in the last minute 20 times as fast. */
const speedKnots = (i: number): number => (i < 540 ? 28 + (i % 5) / 10 : 560);

/** A minute in each batch. */
function drive(): Uint8Array[] {
  const time = (i: number): string =>
    `08${String(Math.floor(i / 60)).padStart(2, '0')}${String(i % 60).padStart(2, '0')}.00`;
  return Array.from({ length: seconds / 60 }, (_, minute) =>
    lineBatch(
      Array.from({ length: 60 }, (__, second) => {
        const i = 60 * minute + second;
        const east = (0.0002 * i * 60).toFixed(4).padStart(7, '0');
        const text = sentence(
          `GPRMC,${time(i)},A,4800.0000,N,011${east},E,${speedKnots(i).toFixed(1)},90.0,231126,,,A`,
        );
        return { timeUs: startUs + i * 1_000_000, text: `${text}\r\n` };
      }),
      { gateway, sequence: minute },
    ),
  );
}

describe('programs that watch the log', () => {
  const run = async (url: string, ...parameters: string[]): Promise<string[]> => {
    const command = ['--json', ...parameters, '--until-end'];
    const { status, stdout, stderr } = await ended(
      start('cloud/dist/cli/fleetlog-bin.js', command, { FLEETLOG_URL: url }),
    );
    assert.equal(status, 0, stderr);
    return stdout.toString().trimEnd().split('\n');
  };

  it('fleetlog alerts: a vehicle leaves a circle and crosses a polygon', async () => {
    await using cloud = await serveCloud();
    await append(cloud.log, drive());
    await using folder = await tempFolder('watching');
    const rules = join(folder.path, 'rules.yaml');
    writeFileSync(
      rules,
      `rules:
  - { name: gone, outside: { center: [48, 11], radius: 1490 }, clear: 50 }
  - { name: yard, inside: { polygon: [[47.9, 11.02], [47.9, 11.04], [48.1, 11.04], [48.1, 11.02]] } }
`,
    );
    const alerts = await run(cloud.api.url, 'alerts', '--rules', rules, '--from', 'earliest');
    assert.deepEqual(
      alerts.map((line) => {
        const { rule, state, signal, time } = JSON.parse(line) as Record<string, string>;
        return [rule, state, signal, (Date.parse(time) * 1000 - startUs) / 1e6];
      }),
      [
        ['gone', 'raised', 'gps0/position', 101],
        ['yard', 'raised', 'gps0/position', 101],
        ['yard', 'cleared', 'gps0/position', 200],
      ],
    );
  });

  it('fleetlog anomalies: a speed that is not as before, learned from the log by one that begins later', async () => {
    await using cloud = await serveCloud();
    await append(cloud.log, drive());
    const from = `${cloud.log.partitionOf(gateway)}:8`; // the last two minutes
    const options = [
      '--signal',
      'position/speed',
      '--every',
      '10s',
      '--memory',
      '5m',
      '--above',
      '20',
      '--from',
      from,
    ];
    const anomalies = (await run(cloud.api.url, 'anomalies', ...options)).map(
      (line) => JSON.parse(line) as { time: string; score: number; expected: number },
    );
    assert.deepEqual(
      await run(cloud.api.url, 'anomalies', ...options, '--no-learn', '--group', 'unlearned'),
      [''],
    );
    assert.equal((Date.parse(anomalies[0].time) * 1000 - startUs) / 1e6, 540);
    assert.ok(
      anomalies[0].score > 20 && Math.abs(anomalies[0].expected - 14.5) < 0.2,
      JSON.stringify(anomalies[0]),
    );
  });

  it('fleetlog live: the last state of each gateway, kept by the broker for who comes later', async () => {
    await using cloud = await serveCloud();
    await append(cloud.log, drive());
    await cloud.catalogue.mount({ vehicle: 'Truck 17', gateway, fromUs: undefined, toUs: undefined });
    const aedes = await Aedes.createBroker();
    const broker = createServer((connection) => void aedes.handle(connection)).listen(0, '127.0.0.1');
    await once(broker, 'listening');
    const retained = new Map<string, string>();
    aedes.on('publish', ({ topic, payload, retain }, client) => {
      if (client && retain) retained.set(topic, String(payload));
    });
    const to = `mqtt://127.0.0.1:${(broker.address() as AddressInfo).port}/live`;
    const lines = await run(cloud.api.url, 'live', '--match', 'position/l', '--to', to, '--from', 'earliest');
    const state = JSON.parse(lines.at(-1) ?? '') as {
      gateway: string;
      vehicle: string;
      time: string;
      signals: Record<string, { value: number }>;
    };
    assert.equal(state.gateway, gateway);
    assert.equal(state.vehicle, 'Truck 17');
    assert.equal(Date.parse(state.time) * 1000, startUs + (seconds - 1) * 1_000_000);
    assert.deepEqual(Object.keys(state.signals), ['gps0/position/latitude', 'gps0/position/longitude']);
    assert.ok(
      Math.abs(state.signals['gps0/position/longitude'].value - (11 + 0.0002 * (seconds - 1))) < 1e-6,
    );
    assert.deepEqual([...retained], [[`live/${gateway}`, lines.at(-1)]]);
    broker.close();
    aedes.close();
  });
});
