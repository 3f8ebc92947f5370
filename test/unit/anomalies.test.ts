import assert from 'node:assert/strict';
import fc from 'fast-check';
import { createModel } from '#cloud/anomalies/model.js';
import { AnomalySeries, type Judged } from '#cloud/anomalies/series.js';

const minuteUs = 60_000_000;
const hourUs = 60 * minuteUs;

/** The same numbers each time, of about a normal distribution around 0 with deviation 1. */
function noise(seed: number): () => number {
  let state = seed;
  const next = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  return () => Array.from({ length: 12 }, next).reduce((sum, x) => sum + x, -6);
}

for (const method of ['ewma', 'robust'] as const) {
  describe(`anomaly scores: ${method}`, () => {
    it('what varies as ever is no anomaly, and a step is one', () => {
      const model = createModel({ method, memory: 120 });
      const random = noise(7);
      const usual = Array.from({ length: 2000 }, () => model.judge(80 + random())?.score ?? 0);
      assert.equal(usual.filter((score) => Math.abs(score) > 6).length, 0);
      assert.ok(Math.abs(usual.slice(200).reduce((sum, x) => sum + x, 0) / 1800) < 0.2);
      const step = model.judge(92);
      assert.ok(step && step.score > 8 && step.score < 20, String(step?.score));
      assert.ok(Math.abs(step.expected - 80) < 1);
    });

    it('says nothing before it knows anything', () => {
      const model = createModel({ method, memory: 20 });
      const judged = [...Array(12).keys()].map((i) => model.judge(i) !== undefined);
      assert.deepEqual(judged, [...Array<boolean>(10).fill(false), true, true]);
    });

    it('a fault goes on being one, and becomes usual when it lasts', () => {
      const model = createModel({ method, memory: 60 });
      const random = noise(3);
      for (let i = 0; i < 500; i++) model.judge(random());
      const fault = Array.from({ length: 1000 }, () => model.judge(30 + random())?.score ?? 0);
      assert.ok(
        fault.slice(0, 5).every((score) => score > 6),
        fault.slice(0, 5).join(),
      );
      assert.ok(fault.slice(-100).every((score) => Math.abs(score) < 6));
    });

    it('scores are the same whatever the unit is', () => {
      const series = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 12, maxLength: 60 });
      fc.assert(
        fc.property(series, fc.integer({ min: 2, max: 64 }), (values, factor) => {
          fc.pre(new Set(values.slice(0, 10)).size > 8);
          const [plain, scaled] = [0, 1].map(() => createModel({ method, memory: 30 }));
          for (const value of values) {
            const [one, other] = [plain.judge(value)?.score, scaled.judge(value * factor)?.score];
            if (one === undefined || other === undefined) assert.equal(one, other);
            else assert.ok(Math.abs(one - other) <= 1e-6 * Math.max(1, Math.abs(one)), `${one} and ${other}`);
          }
        }),
      );
    });
  });
}

describe('a series of anomaly scores', () => {
  const options = { method: 'ewma', memory: 60, everyUs: minuteUs, season: 'none' } as const;

  it('judges the mean of each bucket once, when the next one begins, over holes too', () => {
    const series = new AnomalySeries(options);
    const judged: (Judged | undefined)[] = [];
    for (let i = 0; i < 12; i++) {
      judged.push(series.value(i * minuteUs, i % 2));
      judged.push(series.value(i * minuteUs + 1, (i % 2) + 2));
    }
    judged.push(series.value(20 * minuteUs, 0));
    const said = judged.filter((one) => one !== undefined);
    assert.deepEqual(
      said.map(({ timeUs, value }) => [timeUs / minuteUs, value]),
      [
        [10, 1],
        [11, 2],
      ],
    );
  });

  it('with a season of a day, an hour that is always hot is no anomaly, and a hot night is one', () => {
    const heat = (i: number): number => (Math.floor(i / 60) % 24 === 14 ? 95 : 70) + (i % 7) / 7;
    const scores = (season: 'none' | 'day', hotNight: boolean): number => {
      const series = new AnomalySeries({ ...options, season });
      const minutes = 10 * 24 * 60;
      let worst = 0;
      for (let i = 0; i < minutes; i++) {
        const isNight = hotNight && i >= minutes - 22 * 60 && i < minutes - 21 * 60;
        const judged = series.value(i * minuteUs, isNight ? 95 : heat(i));
        if (judged && judged.timeUs > 9 * 24 * hourUs) worst = Math.max(worst, Math.abs(judged.score));
      }
      return worst;
    };
    assert.ok(scores('day', false) < 4, String(scores('day', false)));
    assert.ok(scores('none', false) > 20);
    assert.ok(scores('day', true) > 20);
  });
});
