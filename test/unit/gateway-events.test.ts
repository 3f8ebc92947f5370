import assert from 'node:assert/strict';
import { decodeBatch, decodeEvents, encodeBatch, type EventRecord } from '@fleetlog/shared/batch';
import { silentLogger } from '@fleetlog/shared/log';
import { EventStream } from '#gateway/events/event-stream.js';
import type { BatchSink, SealedBatch } from '#gateway/sources/source.js';
import { FakeClock } from '../support/fake-clock.js';
import { keeperOn } from '../support/keeper.js';
import { headerFor } from '../support/batches.js';
import { checkGatewayConfig } from '#gateway/config.js';

/** A sink that takes one batch at a time when it is told to. */
class SlowSink implements BatchSink {
  readonly batches: EventRecord[][] = [];
  private release: (() => void) | undefined;
  slow = false;

  async put(stream: string, { payload }: SealedBatch): Promise<void> {
    assert.equal(stream, 'events');
    const batch = decodeBatch(encodeBatch(headerFor(payload), payload.payload));
    this.batches.push(decodeEvents(batch));
    if (this.slow) await new Promise<void>((resolve) => (this.release = resolve));
  }

  takeMore(): void {
    this.slow = false;
    this.release?.();
  }
}

describe("the gateway's own events", () => {
  const open = (): { events: EventStream; sink: SlowSink; clock: FakeClock } => {
    const sink = new SlowSink();
    const clock = new FakeClock();
    return { events: new EventStream({ sink, time: keeperOn(clock), logger: silentLogger }), sink, clock };
  };

  it('are in the buffer as soon as they are settled, with their time; those of one turn share a batch', async () => {
    const { events, sink, clock } = open();
    const startUs = clock.nowUs();
    events.note('gateway.started', { version: '1' });
    events.note('clock.step', { stepUs: -1 });
    await events.settled();
    clock.advance(1000);
    events.note('gateway.stopped', {});
    await events.settled();
    assert.deepEqual(sink.batches, [
      [
        { timeUs: startUs, type: 'gateway.started', attributes: { version: '1' } },
        { timeUs: startUs, type: 'clock.step', attributes: { stepUs: -1 } },
      ],
      [{ timeUs: startUs + 1_000_000, type: 'gateway.stopped', attributes: {} }],
    ]);
  });

  it('wait while the buffer has no room; of a flood the rest is counted in an event of its own', async () => {
    const { events, sink } = open();
    sink.slow = true;
    events.note('a', {});
    await new Promise(setImmediate);
    for (let i = 0; i < 2000; i++) events.note('b', { i });
    sink.takeMore();
    await events.settled();
    const kept = sink.batches.flat();
    assert.equal(kept.filter(({ type }) => type === 'b').length, 1024);
    assert.deepEqual(kept.find(({ type }) => type === 'events.left-out')?.attributes, { events: 976 });
  });

  it('have a stream name that no source may take', () => {
    const streams = { events: { source: 'command', command: 'true', format: 'lines' } };
    const uplink = { url: 'mqtt://127.0.0.1:1883' };
    assert.throws(
      () => checkGatewayConfig({ gateway: 'a', data: 'x', uplink, streams }, '/x.yaml'),
      /the stream name "events" is reserved/,
    );
  });
});
