import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bins, run } from '../support/chaos/process.js';
import { CloudDouble } from '../support/cloud-double.js';
import { CloudProcess } from '../support/cloud-process.js';
import { LoopDisk } from '../support/loop-disk.js';
import { tempFolder } from '../support/temp-folder.js';

interface Verdict {
  ledgerHash: string;
  isFlawless: boolean;
  streams: { gateway: string; sent: number; logged: number; lost: number; ageMs?: { max: number } }[];
}

const scenario = (more = ''): string =>
  `name: test\nduration: 4s\n${more}vehicles:\n  car: { kind: electric-car, count: 2 }\n`;

describe('fleetlog-sim run and verify', function () {
  this.timeout(120_000);

  it('find every record of a fleet in the log, over and over, and miss all of them in an empty one', async () => {
    await using folder = await tempFolder('sim-run');
    const path = join(folder.path, 'scenario.yaml');
    await writeFile(
      path,
      `${scenario('speed: max\n')}  van: { kind: truck, trip: 3s, firmware: { diagnostics: 1s } }\n`,
    );
    const data = join(folder.path, 'run');
    const first = await run(bins.sim, ['run', path, '--data', data, '--json']);
    assert.equal(first.status, 0, first.stderr);
    const verdict = JSON.parse(first.stdout.toString()) as Verdict;
    assert.equal(verdict.isFlawless, true);
    assert.equal(verdict.streams.length, 6);
    for (const { sent, logged } of verdict.streams) assert.ok(sent > 0 && sent === logged);

    const ledgerAgain = await run(bins.sim, ['ledger', path, '--json']);
    const sent = verdict.streams.reduce((sum, stream) => sum + stream.sent, 0);
    assert.deepEqual(JSON.parse(ledgerAgain.stdout.toString()), { hash: verdict.ledgerHash, records: sent });

    const again = await run(bins.sim, ['run', path, '--data', data]);
    assert.equal(again.status, 2);
    assert.match(again.stderr, /isn't empty/);

    await using cloud = await CloudProcess.serve(join(data, 'cloud'));
    const ledger = join(data, 'ledger.json');
    const html = join(folder.path, 'verdict.html');
    const verified = await run(bins.sim, ['verify', ledger, '--url', cloud.httpUrl, '--html', html]);
    assert.equal(verified.status, 0, verified.stderr);
    assert.match(verified.stdout.toString(), /Nothing was lost, duplicated, altered or reordered/);
    assert.match(verified.stdout.toString(), new RegExp(verdict.ledgerHash));
    assert.match(await readFile(html, 'utf8'), /<h1>Scenario test: nothing is missing<\/h1>/);
    const streams = await run(bins.fleetlog, ['streams', '--url', cloud.httpUrl]);
    assert.equal(
      streams.stdout.toString().match(/ simulated /g)?.length,
      6,
      'marked wherever they are listed',
    );

    const query = ['--gateway', 'car-1', '--signal', 'VehicleSpeed', '--format', 'csv'];
    const span = ['--from', '2026-01-01T08:00:01Z', '--to', '2026-01-01T08:00:04Z'];
    const speeds = await run(bins.fleetlog, ['query', ...query, ...span, '--url', cloud.httpUrl]);
    assert.ok(speeds.stdout.toString().split('\n').length > 100, 'the cloud knows what the frames mean');

    const asked = ['--gateway', 'van', '--signal', 'OBD2/RPM', 'OBD2/ODO', '--format', 'csv'];
    const answers = await run(bins.fleetlog, ['query', ...asked, '--from', '-365d', '--url', cloud.httpUrl]);
    assert.match(answers.stdout.toString(), /,\d+(\.\d+)?,/, answers.stderr);

    const mqtt = `mqtt://127.0.0.1:${cloud.mqttPort}`;
    const twice = await run(bins.sim, [
      'run',
      path,
      '--url',
      cloud.httpUrl,
      '--mqtt',
      mqtt,
      '--data',
      `${data}-2`,
    ]);
    assert.equal(twice.status, 2);
    assert.match(twice.stderr, /already has records of car-1/);

    await using empty = await CloudDouble.serve([]);
    const lost = await run(bins.sim, ['verify', ledger, '--url', empty.url]);
    assert.equal(lost.status, 3, lost.stderr);
    assert.match(lost.stdout.toString(), /without a reason, in 6 streams/);
  });

  it('find every record in real time too, while gateways and cloud are killed and networks go away', async () => {
    await using folder = await tempFolder('sim-run');
    const path = join(folder.path, 'scenario.yaml');
    const faults = [
      'faults:',
      '  - { at: 1s, for: 500ms, fault: power-cut, vehicles: [car] }',
      '  - { at: 2s, for: 500ms, fault: cloud-restart }',
      '  - { at: 2500ms, for: 1s, fault: no-network }',
      '  - { at: 3s, for: 100ms, fault: power-cut }\n',
    ].join('\n');
    await writeFile(path, scenario(faults));
    const done = await run(bins.sim, ['run', path, '--data', join(folder.path, 'run'), '--json']);
    assert.equal(done.status, 0, done.stderr);
    const verdict = JSON.parse(done.stdout.toString()) as Verdict;
    assert.equal(verdict.isFlawless, true);
    assert.ok(
      verdict.streams.some(({ ageMs }) => ageMs && ageMs.max > 0),
      'somebody watched',
    );
    for (const what of ['car-1 loses power', 'the cloud is started again', 'car-2 has its network back']) {
      assert.match(done.stderr, new RegExp(what));
    }
    const ledger = await readFile(join(folder.path, 'run', 'ledger.json'), 'utf8');
    assert.ok(ledger.length < 3000, 'a ledger is no copy');
  });

  it('find every record when clocks jump, cards fail, links are slow or metered, and the cloud is attacked', async function () {
    const canMount = process.getuid?.() === 0 && (await LoopDisk.whyNot()) === undefined;
    if (!canMount) console.log('      without failing cards: they need root and disks of their own');
    const hasFalseClock = globSync('/usr/lib/*-linux-gnu/faketime/libfaketime.so.1').length > 0;
    if (!hasFalseClock)
      console.log('      without false clocks: they need libfaketime (apt-get install faketime)');
    await using folder = await tempFolder('sim-run');
    const path = join(folder.path, 'scenario.yaml');
    const faults = [
      'faults:',
      '  - { at: 1s, for: 6s, fault: hostile }',
      '  - { at: 1s, for: 5s, fault: satellite, vehicles: [slow] }',
      '  - { at: 2s, for: 5s, fault: roaming, budget: 4kB, vehicles: [abroad] }',
      ...(hasFalseClock ? ['  - { at: 2s, for: 10s, fault: clock-jump, by: -2h, vehicles: [late] }'] : []),
      ...(canMount
        ? [
            '  - { at: 2s, for: 10s, fault: disk-full, vehicles: [full] }',
            '  - { at: 3s, for: 9s, fault: disk-readonly, vehicles: [worn] }',
            '  - { at: 3s, for: 9s, fault: disk-error, vehicles: [broken] }',
          ]
        : []),
      'vehicles:',
    ];
    const names = ['slow', 'abroad', 'late', 'full', 'worn', 'broken'];
    const vehicles = names.map((name) => `  ${name}: { kind: electric-car }`);
    await writeFile(path, ['name: test', 'duration: 8s', ...faults, ...vehicles, ''].join('\n'));
    const data = join(folder.path, 'run');
    const done = await run(bins.sim, ['run', path, '--data', data, '--json']);
    assert.equal(done.status, 0, done.stderr);
    const log = (name: string): Promise<string> => readFile(join(data, 'logs', `${name}.log`), 'utf8');
    const cloud = await log('cloud');
    for (const code of ['FLEETLOG_LOGIN', 'FLEETLOG_BATCH_LIMIT']) assert.match(cloud, new RegExp(code));
    if (hasFalseClock) assert.match(await log('late'), /stepped by -7200/);
    if (canMount) {
      assert.match(await log('full'), /ENOSPC|No space left/i);
      assert.match(await log('worn'), /EROFS|read-only/i);
      assert.match(await log('broken'), /EIO|Input\/output error/i);
    }
  });

  it('refuse a scenario with the path of the key, and a ledger that is none', async () => {
    await using folder = await tempFolder('sim-run');
    const path = join(folder.path, 'scenario.yaml');
    await writeFile(path, scenario('speeed: 1\n'));
    const done = await run(bins.sim, ['run', path]);
    assert.equal(done.status, 2);
    assert.match(done.stderr, /^fleetlog-sim: .*unknown key "speeed"\.\n$/);
    assert.equal((await run(bins.sim, ['verify', path])).status, 2);
    const nobody = await run(bins.sim, ['run', path.replace('scenario', 'none')]);
    assert.match(nobody.stderr, /doesn't exist/);
  });
});
