import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bins, run } from '../support/chaos/process.js';
import { CloudProcess } from '../support/cloud-process.js';
import { tempFolder } from '../support/temp-folder.js';

interface Report {
  unacknowledged: number;
  simulated: boolean;
  connectedMost: number;
  counters: { due: number; acknowledged: number; refused: number; storms: number; resent: number };
  latencyMs: { p50: number; max: number };
  timeline: object[];
}

describe('fleetlog-sim load', function () {
  this.timeout(120_000);

  it('brings every batch of many gateways into the log, in spite of storms, and says how long each took', async () => {
    await using folder = await tempFolder('sim-load');
    await using cloud = await CloudProcess.serve(folder.path);
    const gateways = 12;
    const args = ['--mqtt', `mqtt://127.0.0.1:${cloud.mqttPort}`, '--gateways', String(gateways)];
    const done = await run(bins.sim, [
      'load',
      ...args,
      ...'--frames-per-second 200 --interval 200ms --duration 3s --ramp-up 500ms'.split(' '),
      ...'--storm 1s --storm-share 0.5 --processes 2 --think 20ms --json'.split(' '),
      '--html',
      join(folder.path, 'load.html'),
    ]);
    assert.equal(done.status, 0, done.stderr);
    assert.match(done.stderr, /connected .* batches\/s/);
    const { counters, unacknowledged, latencyMs, connectedMost, timeline } = JSON.parse(
      done.stdout.toString(),
    ) as Report;
    assert.ok(counters.due >= gateways * 10, `${counters.due} batches`);
    assert.equal(unacknowledged, 0);
    assert.equal(counters.refused, 0);
    assert.ok(counters.storms >= 2);
    assert.ok(connectedMost <= gateways);
    assert.ok(timeline.length >= 2);
    const html = await readFile(join(folder.path, 'load.html'), 'utf8');
    assert.match(html, /<h1>Load: 12 gateways<\/h1>/);
    assert.equal(html.match(/<svg /g)?.length, 5);
    assert.ok(latencyMs.p50 > 0 && latencyMs.max >= latencyMs.p50);

    const gaps = await run(bins.fleetlog, ['gaps', '--url', cloud.httpUrl, '--json']);
    assert.equal(gaps.status, 0, gaps.stderr);
    const listed = await run(bins.fleetlog, ['streams', '--url', cloud.httpUrl, '--json']);
    const rows = JSON.parse(listed.stdout.toString()) as {
      records: number;
      batches: number;
      origin: string;
    }[];
    assert.equal(rows.length, gateways);
    assert.equal(
      rows.reduce((sum, { batches }) => sum + batches, 0),
      counters.due,
    );
    for (const { batches, records, origin } of rows) {
      assert.equal(records, batches * 40);
      assert.equal(origin, 'simulated');
    }
  });

  it('says in a sentence where nobody listens, and what it needs to know', async () => {
    const load = ['load', '--gateways', '2', '--frames-per-second', '10', '--duration', '1s'];
    const nobody = await run(bins.sim, [...load, '--mqtt', 'mqtt://127.0.0.1:1']);
    assert.equal(nobody.status, 1);
    assert.match(nobody.stderr, /^fleetlog-sim: Nobody listens at 127\.0\.0\.1:1; .*\.\n$/);
    assert.equal((await run(bins.sim, ['load', '--gateways', '0'])).status, 2);
    assert.equal((await run(bins.sim, [...load, '--storm-share', '2'])).status, 2);
    assert.equal((await run(bins.sim, [...load, '--mqtt', 'http://127.0.0.1:1'])).status, 2);
  });
});
