import assert from 'node:assert/strict';
import fc from 'fast-check';
import { CanFrames, encodeCan } from '@fleetlog/shared/can';
import { silentLogger } from '@fleetlog/shared/log';
import { systemClock } from '@fleetlog/shared/util';
import { ColumnKeeper } from '#cloud/columns/keeper.js';
import type { Message } from '#cloud/signals/dbc/model.js';
import { seal } from '../support/batches.js';
import { messageText, parseText } from '../support/dbc.js';
import { randomOf } from '../support/generate-frames.js';
import { append } from '../support/recorded.js';
import { referenceValue } from '../support/reference-decoder.js';
import { serveCloud, type ServingCloud } from '../support/serving-cloud.js';

/*
 * Queries against a reference that decodes every frame bit by bit, sorts all values, and sums them up in plain code.
 */

const baseUs = 1_790_000_039_000_000; // not the begin of a minute
const vehicle = 'V';
const databases = {
  engine:
    messageText(
      [
        'Rpm : 0|16@1+ (0.25,0) [0|0] "" X',
        'Mode M : 16|2@1+ (1,0) [0|0] "" X',
        'Temp m1 : 24|8@1- (2,-40) [0|0] "" X',
        'Ratio : 32|32@1- (1,0) [0|0] "" X',
      ],
      'BO_ 256 Engine: 8 X',
    ) + 'SIG_VALTYPE_ 256 Ratio : 1;\n',
  body: messageText(['Door : 7|2@0+ (1,0) [0|0] "" X'], 'BO_ 512 Body: 8 X'),
};
const messages = Object.values(databases).flatMap((text) => parseText(text).database.messages);

interface Value {
  gateway: string;
  timeUs: number;
  value: number;
}

interface DrawnBatch {
  gateway: 'g1' | 'g2';
  stream: 'can0' | 'can1';
  startMs: number;
  stepsMs: number[];
  seed: number;
}
const drawnBatch = fc.record<DrawnBatch>({
  gateway: fc.constantFrom('g1', 'g2'),
  stream: fc.constantFrom('can0', 'can1'),
  startMs: fc.nat(200_000),
  stepsMs: fc.array(fc.oneof(fc.nat(30), fc.nat(5000)), { minLength: 1, maxLength: 30 }),
  seed: fc.nat(),
});

const asked = fc.record({
  whose: fc.constantFrom('gateway=g1', 'gateway=g2', `vehicle=${vehicle}`),
  signals: fc.subarray(['Rpm', 'Mode', 'Temp', 'Ratio', 'Door'], { minLength: 1 }),
  fromMs: fc.option(fc.integer({ min: -1000, max: 150_000 }), { nil: undefined }),
  lengthMs: fc.option(fc.integer({ min: 1, max: 200_000 }), { nil: undefined }),
  every: fc.constantFrom(undefined, '7ms', '250ms', '1s', '1.5s', '10s', '1m', '2m', '1h', '1d'),
  agg: fc.constantFrom('mean', 'min', 'max', 'first', 'last', 'count', 'sum', 'envelope'),
  gaps: fc.constantFrom('mark', 'fill', 'skip'),
});
type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never;

const lengths: Record<string, number> = { ms: 1000, s: 1e6, m: 6e7, h: 3.6e9, d: 8.64e10 };
const lengthUs = (text: string): number => parseFloat(text) * lengths[text.replace(/[\d.]+/, '')];

/** When g1 leaves the vehicle and g2 comes, ms. */
const movedMs = 90_000;

class Recorded {
  /** By signal, by time. */
  readonly values = new Map<string, Value[]>();
  /** Times of all records by gateway and stream. */
  readonly spans = new Map<string, number[]>();

  add(gateway: string, stream: string, frames: CanFrames): void {
    for (let i = 0; i < frames.count; i++) {
      const timeUs = frames.timeUs(i);
      this.spans.set(`${gateway}/${stream}`, [...(this.spans.get(`${gateway}/${stream}`) ?? []), timeUs]);
      const message = messages.find(({ id }) => id === frames.id[i]);
      const data = frames.data.subarray(frames.dataStart[i], frames.dataStart[i + 1]);
      if (message && (message.name === 'Engine') === (stream === 'can0'))
        this.addFrame(gateway, timeUs, message, data);
    }
  }

  private addFrame(gateway: string, timeUs: number, message: Message, data: Uint8Array): void {
    for (const signal of message.signals) {
      const value = referenceValue(signal, message, data);
      if (value === undefined) continue;
      this.values.set(signal.name, [...(this.values.get(signal.name) ?? []), { gateway, timeUs, value }]);
    }
  }
}

function framesOf({ startMs, stepsMs, seed }: DrawnBatch): CanFrames {
  const random = randomOf(seed + 1);
  const frames = new CanFrames();
  const bus = frames.busIndex('can0');
  let timeUs = baseUs + 1000 * startMs;
  for (const step of stepsMs) {
    const data = Uint8Array.from({ length: 8 }, () => Math.floor(256 * random()));
    // Small whole numbers, or NaN.
    new DataView(data.buffer).setFloat32(4, random() < 0.2 ? NaN : Math.floor(9 * random()), true);
    const length = random() < 0.1 ? 3 : 8;
    frames.append(timeUs, [256, 512, 700][Math.floor(3 * random())], 0, length, bus, data, 0, length);
    timeUs += 1000 * step;
  }
  return frames;
}

class Recording {
  readonly all = new Recorded();
  private sequence = 0;

  private constructor(readonly cloud: ServingCloud) {}

  static async open(room: { rollupBytesMax?: number; columnBytesMax?: number } = {}): Promise<Recording> {
    const cloud = await serveCloud(room);
    const { catalogue } = cloud;
    for (const [name, text] of Object.entries(databases)) {
      await catalogue.add({ name, file: '', bytes: Buffer.from(text), ignoreErrors: false, nowUs: 0 });
    }
    const always = { version: undefined, fromUs: undefined, toUs: undefined };
    for (const gateway of ['g1', 'g2']) {
      await catalogue.assign({ gateway, stream: 'can0', database: 'engine', ...always }, { replace: false });
      await catalogue.assign({ gateway, stream: 'can1', database: 'body', ...always }, { replace: false });
    }
    const atUs = baseUs + 1000 * movedMs;
    await catalogue.mount({ vehicle, gateway: 'g1', fromUs: undefined, toUs: atUs });
    await catalogue.mount({ vehicle, gateway: 'g2', fromUs: atUs, toUs: undefined });
    return new Recording(cloud);
  }

  async append(batches: readonly DrawnBatch[]): Promise<void> {
    for (const batch of batches) {
      const { gateway, stream } = batch;
      const frames = framesOf(batch);
      this.all.add(gateway, stream, frames);
      const sequence = this.sequence++;
      await append(this.cloud.log, [seal(encodeCan(frames), { gateway, stream, sequence })], { gateway });
    }
  }

  /** Keeps all that can be kept by identifier now. */
  async keepColumns(): Promise<void> {
    const { index, log, columnStore } = this.cloud;
    await index.caughtUp(AbortSignal.timeout(60_000));
    const parts = { clock: systemClock, logger: silentLogger, share: 1 };
    await using keeper = new ColumnKeeper({ index, log, columns: columnStore!, ...parts });
    await keeper.follow({ all: true });
  }

  async assertAnswers(queries: readonly Asked[]): Promise<void> {
    for (const query of queries) {
      const wanted = expected(this.all, query);
      if (wanted.length > 20_000) continue; // 7 ms over hours
      assert.deepEqual(await answered(this.cloud, query), wanted, JSON.stringify(query));
    }
  }
}

/** Rows as the reference has them: time, and a value or undefined for each column. */
function expected(all: Recorded, query: Asked): [number, ...(number | undefined)[]][] {
  const isMeant = (gateway: string, timeUs: number): boolean =>
    query.whose === `vehicle=${vehicle}`
      ? timeUs < baseUs + 1000 * movedMs === (gateway === 'g1')
      : query.whose === `gateway=${gateway}`;
  const fromUs = query.fromMs === undefined ? -Infinity : baseUs + 1000 * query.fromMs;
  const startUs = baseUs + 1000 * (query.fromMs ?? 0);
  const toUs = query.lengthMs === undefined ? Infinity : startUs + 1000 * query.lengthMs;
  const series = query.signals.map((name) =>
    (all.values.get(name) ?? [])
      .filter(({ gateway, timeUs }) => isMeant(gateway, timeUs) && timeUs >= fromUs && timeUs < toUs)
      .sort((a, b) => a.timeUs - b.timeUs),
  );
  if (query.every === undefined) return rawRows(series);
  const everyUs = lengthUs(query.every);
  // From where to where there may be values: what was recorded, where it is meant.
  const streams = new Set<string>(query.signals.map((name) => (name === 'Door' ? 'can1' : 'can0')));
  let coveredFromUs = Infinity;
  let coveredToUs = -Infinity;
  for (const [name, times] of all.spans) {
    const [gateway, stream] = name.split('/');
    if (!streams.has(stream)) continue;
    if (!query.whose.startsWith('vehicle') && query.whose !== `gateway=${gateway}`) continue;
    const isMoving = query.whose.startsWith('vehicle');
    const movedUs = baseUs + 1000 * movedMs;
    const first = Math.max(fromUs, Math.min(...times), isMoving && gateway === 'g2' ? movedUs : -Infinity);
    const end = Math.min(toUs, Math.max(...times) + 1, isMoving && gateway === 'g1' ? movedUs : Infinity);
    if (first >= end) continue;
    coveredFromUs = Math.min(coveredFromUs, first);
    coveredToUs = Math.max(coveredToUs, end);
  }
  return coveredFromUs < coveredToUs ? bucketRows(series, query, everyUs, coveredFromUs, coveredToUs) : [];
}

function rawRows(series: Value[][]): [number, ...(number | undefined)[]][] {
  const times = [...new Set(series.flat().map(({ timeUs }) => timeUs))].sort((a, b) => a - b);
  return times.flatMap((timeUs) => {
    const own = series.map((values) => values.filter((one) => one.timeUs === timeUs));
    const count = Math.max(...own.map(({ length }) => length));
    return Array.from({ length: count }, (_, i): [number, ...(number | undefined)[]] => [
      timeUs,
      ...own.map((values) => values[i]?.value),
    ]);
  });
}

function bucketRows(
  series: Value[][],
  { agg, gaps }: Asked,
  everyUs: number,
  fromUs: number,
  toUs: number,
): [number, ...(number | undefined)[]][] {
  const rows: [number, ...(number | undefined)[]][] = [];
  let wasEmpty = false;
  for (let startUs = Math.floor(fromUs / everyUs) * everyUs; startUs < toUs; startUs += everyUs) {
    const own = series.map((values) =>
      values
        .filter(
          ({ timeUs, value }) => timeUs >= startUs && timeUs < startUs + everyUs && !Number.isNaN(value),
        )
        .map(({ value }) => value),
    );
    const isEmpty = own.every(({ length }) => length === 0);
    if (!isEmpty || gaps === 'fill' || (gaps === 'mark' && !wasEmpty)) {
      rows.push([startUs, ...own.flatMap((values) => aggregateOf(values, agg))]);
    }
    wasEmpty = isEmpty;
  }
  return rows;
}

function aggregateOf(values: number[], agg: Asked['agg']): (number | undefined)[] {
  const sum = values.reduce((all, value) => all + value, 0); // exact: multiples of a quarter
  if (agg === 'count') return [values.length];
  if (values.length === 0) return agg === 'envelope' ? [undefined, undefined] : [undefined];
  if (agg === 'envelope') return [Math.min(...values), Math.max(...values)];
  if (agg === 'mean') return [sum / values.length];
  if (agg === 'sum') return [sum];
  if (agg === 'first') return [values[0]];
  if (agg === 'last') return [values[values.length - 1]];
  return [agg === 'min' ? Math.min(...values) : Math.max(...values)];
}

async function answered({ api }: ServingCloud, query: Asked): Promise<[number, ...(number | undefined)[]][]> {
  const { whose, signals, fromMs, lengthMs, every, agg, gaps } = query;
  const parts = [whose, ...signals.map((name) => `signal=${name}`)];
  const iso = (ms: number): string => new Date(baseUs / 1000 + ms).toISOString();
  if (fromMs !== undefined) parts.push(`from=${iso(fromMs)}`);
  if (lengthMs !== undefined) parts.push(`to=${iso((fromMs ?? 0) + lengthMs)}`);
  if (every !== undefined) parts.push(`every=${every}`, `agg=${agg}`, `gaps=${gaps}`);
  const response = await fetch(`${api.url}/v1/query?${parts.join('&')}`);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  const [, ...lines] = text.trimEnd().split('\n');
  return lines.map((line) => {
    const [time, ...values] = line.split(',');
    const timeUs = Date.parse(`${time.slice(0, 23)}Z`) * 1000 + Number(time.slice(23, 26));
    return [timeUs, ...values.map((value) => (value === '' ? undefined : Number(value)))];
  });
}

const batches = fc.array(drawnBatch, { minLength: 1, maxLength: 25 });
const queries = fc.array(asked, { minLength: 12, maxLength: 12 });

describe('query', () => {
  it('answers as a plain reference does: gateways, vehicles, streams, gaps, multiplexed and NaN values', async () => {
    await fc.assert(
      fc.asyncProperty(batches, queries, async (drawn, some) => {
        const recording = await Recording.open();
        await using _closing = recording.cloud;
        await recording.append(drawn);
        await recording.assertAnswers(some);
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  it('answers the same where sums are kept: at first, from then on, after late batches, with little room', async () => {
    const room = fc.constantFrom(0, 4000, 1e9, 1e9, 1e9);
    await fc.assert(
      fc.asyncProperty(batches, batches, queries, room, async (drawn, later, some, rollupBytesMax) => {
        const recording = await Recording.open({ rollupBytesMax });
        await using _closing = recording.cloud;
        const wholeSeconds = some
          .filter(({ every }) => every !== undefined && lengthUs(every) % 1e6 === 0)
          // Some that cover all there is: cells of any minute may be stale.
          .map((query, i) => (i % 2 === 0 ? { ...query, fromMs: undefined, lengthMs: undefined } : query));
        await recording.append(drawn);
        await recording.assertAnswers(wholeSeconds);
        await recording.assertAnswers(wholeSeconds);
        for (const batch of later) await recording.append([batch]);
        await recording.assertAnswers(wholeSeconds);
        assert.ok(recording.cloud.rollups!.bytes <= rollupBytesMax);
      }),
      { numRuns: 8, endOnFailure: true },
    );
  });

  it('answers the same where minutes are kept by identifier: all, after late batches, with little room, and with sums', async () => {
    const room = fc.record({
      columnBytesMax: fc.constantFrom(0, 9000, 1e9, 1e9, 1e9),
      rollupBytesMax: fc.constantFrom(0, 1e9),
    });
    let kept = 0;
    await fc.assert(
      fc.asyncProperty(batches, batches, queries, room, async (drawn, later, some, bytesMax) => {
        const recording = await Recording.open(bytesMax);
        await using _closing = recording.cloud;
        const wide = some.map((query, i) =>
          i % 2 === 0 ? { ...query, fromMs: undefined, lengthMs: undefined } : query,
        );
        await recording.append(drawn);
        await recording.keepColumns();
        kept += recording.cloud.columnStore!.bytes;
        await recording.assertAnswers(wide);
        for (const batch of later) await recording.append([batch]);
        await recording.assertAnswers(wide);
        await recording.keepColumns();
        await recording.assertAnswers(wide);
        assert.ok(recording.cloud.columnStore!.bytes <= bytesMax.columnBytesMax);
      }),
      { numRuns: 5, endOnFailure: true },
    );
    assert.ok(kept > 0);
  });
});
