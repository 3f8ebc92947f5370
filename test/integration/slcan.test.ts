import assert from 'node:assert/strict';
import { decodeGap } from '@fleetlog/shared/batch';
import { CandumpFormatter, decodeCan } from '@fleetlog/shared/can';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { systemClock } from '@fleetlog/shared/util';
import { SlcanAdapter, type SlcanAdapterOptions } from '#sim/ports/slcan.js';
import { CanBus } from '#sim/vehicle/can-bus.js';
import { sent } from '../support/batches.js';
import { CollectingSink } from '../support/collecting-sink.js';
import { captureLog } from '../support/log-capture.js';
import { hasSocat, SerialLine, whyNoSocat } from '../support/serial-line.js';
import { sourceOf } from '../support/source-options.js';
import { tempFolder } from '../support/temp-folder.js';
import { until } from '../support/until.js';

describe('slcan adapters', function () {
  before(function () {
    if (hasSocat) return;
    console.log(`    skipped: ${whyNoSocat}`);
    this.skip();
  });

  /** An adapter on one end of a line and the gateway's source on the other. */
  async function connected(
    config: object,
    adapterOptions: SlcanAdapterOptions,
    body: (parts: {
      adapter: SlcanAdapter;
      line: SerialLine;
      sink: CollectingSink;
      source: ReturnType<typeof sourceOf>;
      ended: Promise<void>;
      stop: () => Promise<void>;
      noted: [string, object][];
    }) => Promise<void>,
  ): Promise<void> {
    await using folder = await tempFolder('slcan');
    await using line = new SerialLine(folder.path);
    await line.plug();
    const adapter = new SlcanAdapter(adapterOptions);
    line.onOutput((bytes) => void line.write(Buffer.from(adapter.take(bytes))));
    const sink = new CollectingSink();
    const noted: [string, object][] = [];
    const source = sourceOf(
      { source: 'slcan', path: line.port, bitrate: 500_000, batch: { linger: '50ms' }, ...config },
      { clock: systemClock, logger: captureLog(), events: { note: (...event) => void noted.push(event) } },
    );
    const abort = new AbortController();
    const ended = source.run(sink, undefined, abort.signal);
    ended.catch(() => undefined);
    const stop = async (): Promise<void> => {
      abort.abort();
      await ended.catch(() => undefined);
    };
    try {
      await body({ adapter, line, sink, source, ended, stop, noted });
    } finally {
      await stop();
    }
  }

  /** Text of frames without their times, which are the gateway's. */
  const withoutTimes = (text: string): string => text.replace(/^\([^)]*\) /gm, '');
  const textOf = (sink: CollectingSink): string =>
    sink.batches
      .filter(({ payload }) => payload.codec === 'can-1')
      .map(({ payload }) => Buffer.from(new CandumpFormatter().format(decodeCan(sent(payload)))).toString())
      .join('');

  it('are opened at the bit rate, listening only, and bring every frame', async () => {
    await connected({}, {}, async ({ adapter, line, sink, source, stop, noted }) => {
      await until('the channel is open', () => adapter.isOpen);
      assert.deepEqual(adapter.commands, ['C', 'V', 'N', 'S6', 'Z1', 'L']);
      const bus = new CanBus({ seed: 3, startUs: systemClock.nowUs(), extras: ['extended', 'remote', 'fd'] });
      let text = '';
      for (let i = 1; i <= 60; i++) {
        const said = Buffer.from(bus.next(i * 50_000)).toString();
        text += said;
        await line.write(Buffer.from(adapter.hear(said)));
      }
      const count = text.split('\n').length - 1;
      await until('all frames', () => source.counters.records === count);
      await stop();
      assert.equal(withoutTimes(textOf(sink)), withoutTimes(text));
      assert.ok(text.includes('##') && /#R/.test(text) && / [0-9A-F]{8}#/.test(text));
      assert.equal(source.counters.malformed, 0);
      await until('it is closed at the end', () => !adapter.isOpen);
      assert.deepEqual(noted[0], [
        'can.opened',
        { stream: 'stream0', version: '1013', serialNumber: 'SIM1', bitrate: 500_000, listenOnly: true },
      ]);
    });
  });

  it('that say that they dropped frames leave a gap record', async () => {
    await connected({}, {}, async ({ adapter, line, sink, source, noted }) => {
      await until('the channel is open', () => adapter.isOpen);
      await line.write(Buffer.from('t1231AA0001\r'));
      adapter.status = 0x09;
      await until('a gap', () => sink.batches.some(({ payload }) => payload.codec === 'gap-1'));
      await line.write(Buffer.from('t1231BB0002\r'));
      await until('the frame behind it', () => sink.batches.at(-1)!.payload.codec === 'can-1');
      assert.deepEqual(
        sink.batches.map(({ payload }) => payload.codec),
        ['can-1', 'gap-1', 'can-1'],
      );
      assert.equal(decodeGap(sent(sink.batches[1].payload)).cause, 'source-dropped');
      assert.equal(sink.batches[1].payload.recordCount, -1);
      assert.equal(source.counters.overruns, 1);
      assert.deepEqual(noted.at(-1)?.[0], 'can.status');
    });
  });

  it('without a listen-only mode are not opened unless asked to', async () => {
    await connected({}, { refuses: 'LM' }, async ({ adapter, ended }) => {
      await assert.rejects(
        ended,
        (error) => isFleetlogError(error, 'FLEETLOG_SOURCE') && /set "listenOnly: false"/.test(error.message),
      );
      assert.equal(adapter.isOpen, false);
    });
    await connected({ listenOnly: false, timestamps: false }, { refuses: 'L' }, async ({ adapter }) => {
      await until('the channel is open', () => adapter.isOpen);
      assert.ok(adapter.commands.includes('O') && !adapter.commands.includes('Z1'));
    });
  });

  it('that answer nothing are believed', async () => {
    await connected({}, { isMute: true }, async ({ adapter, line, source }) => {
      await until('the channel is open', () => adapter.isOpen);
      await line.write(Buffer.from('t1231AA\rgarbage\rT1FFFFFFF0\r'));
      await until('frames', () => source.counters.records === 2);
      assert.equal(source.counters.malformed, 1);
    });
  });

  it('refuse a bit rate that they do not know', async () => {
    await connected({ bitrate: 800_000 }, { refuses: 'S' }, async ({ ended }) => {
      await assert.rejects(ended, /takes no bit rate of 800000/);
    });
  });
});
