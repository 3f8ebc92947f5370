import assert from 'node:assert/strict';
import { checkCloud, type CloudView, type Expectation } from '../support/chaos/check.js';
import { generatedRecordings } from '../support/chaos/recordings.js';

/** The soak's verdict is worth as much as the checker's ability to fail. */
describe('the checker of exports', () => {
  const [can, gps] = generatedRecordings(1, 2);
  const expectations: Expectation[] = [
    { gateway: 'g', stream: 'can0', format: 'candump', input: can.bytes },
    { gateway: 'g', stream: 'gps0', format: 'lines', input: gps.bytes },
  ];
  const lineCount = (bytes: Buffer): number => bytes.toString('latin1').split('\n').length - 1;
  const lines = can.bytes.toString('latin1').split(/(?<=\n)/);

  /** A cloud that holds everything, but for what `more` says. */
  const cloud = (more: Partial<CloudView> & { can?: Buffer } = {}): CloudView => ({
    exportStream: ({ stream, input }) => Promise.resolve(stream === 'can0' ? (more.can ?? input) : input),
    recordCounts: () =>
      Promise.resolve(
        new Map([
          ['g/can0', lineCount(more.can ?? can.bytes)],
          ['g/gps0', lineCount(gps.bytes)],
        ]),
      ),
    gaps: () => Promise.resolve(undefined),
    ...more,
  });

  it('has nothing to say where everything came out as it went in', async () => {
    const score = await checkCloud(cloud(), expectations);
    assert.deepEqual(score, {
      streams: 2,
      bytes: can.bytes.length + gps.bytes.length,
      records: lineCount(can.bytes) + lineCount(gps.bytes),
      lost: 0,
      duplicated: 0,
      altered: 0,
      complaints: [],
    });
  });

  it('sees a lost batch', async () => {
    const without = Buffer.from([...lines.slice(0, 500), ...lines.slice(700)].join(''), 'latin1');
    const score = await checkCloud(cloud({ can: without }), expectations);
    assert.deepEqual([score.lost, score.duplicated, score.altered], [200, 0, 0]);
    assert.equal(score.complaints.length, 2, 'count and content');
  });

  it('sees a lost batch also where the cloud counts as if it were there', async () => {
    const without = Buffer.from(lines.slice(0, -100).join(''), 'latin1');
    const recordCounts = (): Promise<Map<string, number>> => cloud().recordCounts();
    const score = await checkCloud(cloud({ can: without, recordCounts }), expectations);
    assert.equal(score.lost, 100);
    assert.equal(score.complaints.length, 1);
  });

  it('sees a batch that is there twice', async () => {
    const twice = Buffer.from([...lines.slice(0, 700), ...lines.slice(500)].join(''), 'latin1');
    const score = await checkCloud(cloud({ can: twice }), expectations);
    assert.deepEqual([score.lost, score.duplicated, score.altered], [0, 200, 0]);
  });

  it('sees a single bit that changed', async () => {
    const altered = Buffer.from(can.bytes);
    altered[5000] ^= 1;
    const score = await checkCloud(cloud({ can: altered }), expectations);
    assert.deepEqual([score.lost, score.duplicated, score.altered], [0, 0, 1]);
    assert.match(score.complaints[0], /from byte 5000 on/);
  });

  it('sees batches in the wrong order', async () => {
    const mixed = [
      ...lines.slice(0, 100),
      ...lines.slice(200, 300),
      ...lines.slice(100, 200),
      ...lines.slice(300),
    ];
    const score = await checkCloud(cloud({ can: Buffer.from(mixed.join(''), 'latin1') }), expectations);
    assert.equal(score.complaints.length, 1);
    assert.match(score.complaints[0], /only the order differs/);
  });

  it('sees a line end that is missing', async () => {
    const recordCounts = (): Promise<Map<string, number>> => cloud().recordCounts();
    const shorter = can.bytes.subarray(0, -1);
    assert.equal((await checkCloud(cloud({ can: shorter, recordCounts }), expectations)).altered, 1);
  });

  it('sees records that nothing was exported of', async () => {
    const score = await checkCloud(cloud({ can: Buffer.alloc(0) }), expectations);
    assert.equal(score.lost, lines.length);
  });

  it('sees a count that is too high', async () => {
    const recordCounts = (): Promise<Map<string, number>> =>
      Promise.resolve(
        new Map([
          ['g/can0', lineCount(can.bytes) + 1],
          ['g/gps0', lineCount(gps.bytes)],
        ]),
      );
    const score = await checkCloud(cloud({ recordCounts }), expectations);
    assert.deepEqual([score.complaints.length, score.duplicated], [1, 1]);
  });

  it('sees a stream that nobody sent', async () => {
    const score = await checkCloud(cloud(), expectations.slice(0, 1));
    assert.deepEqual(score.complaints, ['g/gps0: nobody sent this stream']);
  });

  it('passes on what fleetlog gaps has to say', async () => {
    const score = await checkCloud(cloud({ gaps: () => Promise.resolve('can0 3-4') }), expectations);
    assert.match(score.complaints[0], /can0 3-4/);
  });
});
