import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Cloud } from '../support/chaos/cloud.js';
import { bins, run } from '../support/chaos/process.js';
import { tempFolder } from '../support/temp-folder.js';
import { hasUml, runInUml, whyNoUml } from '../support/uml.js';

/** Frames wait for the reader, and the guest for its turn. */
const toleranceUs = 100_000;

interface Frame {
  trueUs: number;
  timeUs: number;
}

describe('a gateway on a machine whose clock a real chrony keeps', function () {
  this.timeout(600_000);
  const chronyd = spawnSync('sh', ['-c', 'command -v chronyd'], { encoding: 'utf8' }).stdout.trim();

  before(function () {
    if (hasUml && chronyd !== '') return;
    console.log(`      skipped: ${hasUml ? 'chronyd not installed (apt-get install chrony)' : whyNoUml}`);
    this.skip();
  });

  /** Plays a scenario, brings what was captured to a cloud, and says how wrong each phase came out at the worst, us. */
  async function play(
    scenario: 'stepped' | 'slewed',
  ): Promise<{ wrongUs: number; worst: Record<string, number> }> {
    await using folder = await tempFolder('chrony');
    await symlink(chronyd, join(folder.path, 'chronyd'));
    await writeFile(join(folder.path, 'scenario'), scenario);
    const guest = fileURLToPath(new URL('../support/clock-guest.js', import.meta.url));
    const { wrongUs, done } = JSON.parse(await runInUml(folder.path, guest, 400_000)) as {
      wrongUs: number;
      done: Record<string, number>;
    };
    const cloud = new Cloud(join(folder.path, 'cloud'));
    await cloud.start();
    try {
      const config = join(folder.path, 'home.yaml');
      const uplink = { url: `mqtt://127.0.0.1:${cloud.mqttPort}` };
      const data = join(folder.path, 'data');
      await writeFile(config, JSON.stringify({ gateway: 'measured', data, uplink, streams: {} }));
      const drained = await run(bins.gateway, ['--config', config, '--until-drained']);
      assert.equal(drained.status, 0, drained.stderr);
      const original = await frames(cloud, 'original');
      const corrected = await frames(cloud, 'corrected');
      assert.equal(corrected.length, original.length);
      const isAscending = corrected.every(({ trueUs }, i) => i === 0 || trueUs > corrected[i - 1].trueUs);
      assert.ok(isAscending, 'in order');
      const worst = worstOf(corrected, done);
      const ms = Object.entries(worst).map(([phase, us]) => `${phase}: ${(us / 1000).toFixed(1)} ms`);
      const least = Math.max(...original.map(({ trueUs, timeUs }) => Math.abs(timeUs - trueUs))) / 1e6;
      console.log(
        `      ${original.length} frames, stamped wrong by up to ${least.toFixed(1)} s; ${ms.join(', ')}`,
      );
      return { wrongUs, worst };
    } finally {
      await cloud.command.kill();
    }
  }

  function worstOf(frames: readonly Frame[], done: Record<string, number>): Record<string, number> {
    const phases = Object.entries(done).toSorted(([, a], [, b]) => a - b);
    const worst = phases.map(([phase, fromUs], i) => {
      const [, toUs] = phases[i + 1] ?? ['', Infinity];
      const of = frames.filter(({ trueUs }) => trueUs >= fromUs && trueUs < toUs);
      assert.ok(of.length > 100, `${of.length} frames of "${phase}"`);
      return [phase, Math.max(...of.map(({ trueUs, timeUs }) => Math.abs(timeUs - trueUs)))];
    });
    return Object.fromEntries(worst) as Record<string, number>;
  }

  async function frames(cloud: Cloud, times: string): Promise<Frame[]> {
    const of = ['--gateway', 'measured', '--stream', 'can0', '--format', 'ndjson', '--times', times];
    const { stdout } = await cloud.fleetlog('export', ...of);
    const lines = stdout.toString().trimEnd().split('\n');
    return lines.map((line) => {
      const { time, data } = JSON.parse(line) as { time: string; data: string };
      const micros = Number(/\.\d{3}(\d{3})Z$/.exec(time)?.[1]);
      return { trueUs: Number.parseInt(data, 16), timeUs: Date.parse(time) * 1000 + micros };
    });
  }

  it('has the right time of every frame: in 1970, set by chrony, an hour back by hand, and stepped', async () => {
    const { worst } = await play('stepped');
    assert.ok(Object.values(worst).every((us) => us < toleranceUs));
  });

  // The monotonic clock is slewed with the other: nobody can tell afterwards how it went.
  it('has none wrong by more than what chrony slewed away', async () => {
    const { worst, wrongUs } = await play('slewed');
    assert.ok(wrongUs > 250_000 && wrongUs < 1e6, 'chrony steps it from a second on');
    assert.ok(worst['before'] < wrongUs + toleranceUs, `the clock was wrong by ${wrongUs} µs`);
    assert.ok(worst['set by chrony'] < toleranceUs, 'from then on they are right');
  });
});
