import assert from 'node:assert/strict';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { sourceOf } from '../support/source-options.js';

const file = { source: 'file', path: '/drive.log', format: 'candump' };
const command = { source: 'command', command: 'candump -L can0', format: 'candump' };

const serial = { source: 'serial', path: '/dev/ttyUSB0', format: 'lines' };
const slcan = { source: 'slcan', path: '/dev/ttyACM0', bitrate: 500_000 };
const socketcan = { source: 'socketcan', interface: 'can0' };
const packet = {
  framing: 'cobs',
  fields: [
    { name: 'x', type: 'u32' },
    { name: 'y', type: 'f32' },
  ],
};
const packets = { ...serial, format: 'packets', packet };

describe('configuration of a stream', () => {
  it('takes what the command line reference shows', () => {
    assert.equal(sourceOf(file).kind, 'can');
    assert.equal(sourceOf(file).finite, true);
    for (const pace of ['max', 'original', 'clock', 0.5, 10])
      sourceOf({ ...file, pace, times: 'now', strict: true });
    assert.equal(sourceOf({ ...file, format: 'lines' }).kind, 'lines');
    assert.equal(sourceOf(command).finite, false);
    sourceOf({ ...command, command: ['candump', '-L', 'can0'], origin: 'simulated' });
    assert.equal(sourceOf(slcan).kind, 'can');
    assert.equal(sourceOf({ ...socketcan, filters: ['7E8', '18FEF100/1FFFFF00'] }).kind, 'can');
    assert.equal(sourceOf({ ...serial, silence: 'off' }).kind, 'lines');
    assert.equal(sourceOf({ ...packets, packet: { ...packet, time: 'x' } }).kind, 'samples');
    for (const stream of [file, command, slcan, socketcan, packets]) sourceOf({ ...stream, thin: 10 });
    sourceOf({ ...file, batch: { linger: '1s', span: '5s', records: 1, bytes: '1MiB' } });
  });

  const refused: [config: object, message: string][] = [
    [{}, 'test: missing key "source".'],
    [
      { ...file, source: 'modbus' },
      'test: "source" must be a file, command, serial, slcan, gpsd or socketcan.',
    ],
    [{ ...file, format: 'asc' }, 'test: "format" must be a candump, lines, packets or ubx.'],
    [{ ...file, repeat: true }, 'test: unknown key "repeat".'],
    [{ ...file, pace: 0 }, 'test: "pace" must be a factor above 0, or max, or original, or clock.'],
    [{ ...file, pace: 'fast' }, 'test: "pace" must be a factor above 0, or max, or original, or clock.'],
    [
      { ...file, origin: 'live' },
      'A recording isn\'t live; remove "streams.stream0.origin" or make it simulated.',
    ],
    [{ ...file, times: 'later' }, 'test: "times" must be a original or now.'],
    [{ ...file, path: undefined }, 'Missing key "streams.stream0.path": "source: file" needs it.'],
    [
      { ...command, command: undefined },
      'Missing key "streams.stream0.command": "source: command" needs it.',
    ],
    [{ ...serial, path: undefined }, 'Missing key "streams.stream0.path": "source: serial" needs it.'],
    [{ ...file, baud: 9600 }, '"source: file" has no key "baud"; remove "streams.stream0.baud".'],
    [{ ...file, thin: 1 }, 'test: "thin" must be >= 2.'],
    [{ ...serial, thin: 10 }, 'Only CAN frames and packets can be thinned; remove "streams.stream0.thin".'],
    [{ ...serial, silence: '30' }, 'test: "silence" must be a duration such as 30s, or off.'],
    [
      { ...serial, format: 'candump' },
      '"source: serial" has no "format: candump"; "streams.stream0.format" must be lines, packets or ubx.',
    ],
    [
      { ...file, format: 'packets' },
      '"source: file" has no "format: packets"; "streams.stream0.format" must be candump, lines or ubx.',
    ],
    [{ ...serial, packet }, '"streams.stream0.packet" goes with "format: packets" only.'],
    [
      { ...serial, format: 'packets' },
      'Missing key "streams.stream0.packet": "format: packets" needs to know what they look like.',
    ],
    [
      { ...packets, packet: { ...packet, framing: 'hdlc' } },
      'test: "packet.framing" must be a cobs, slip, fixed, delimiter or length-prefixed.',
    ],
    [
      { ...packets, packet: { ...packet, framing: 'fixed' } },
      '"streams.stream0.packet.length" is missing: "framing: fixed" needs it.',
    ],
    [
      { ...packets, packet: { ...packet, framing: 'fixed', length: 8 } },
      '"streams.stream0.packet.sync" is needed by "framing: fixed" without a checksum: nothing tells where a packet begins.',
    ],
    [
      { ...packets, packet: { ...packet, sync: 'b5x' } },
      'test: "packet.sync" must be a list of bytes in hexadecimal, such as "b5 62".',
    ],
    [
      { ...packets, packet: { ...packet, time: 'clock' } },
      '"streams.stream0.packet.time" names no field; there are x, y.',
    ],
    [
      { ...packets, packet: { ...packet, time: 'y' } },
      '"streams.stream0.packet.time" must be a field of type u8, u16, u24, u32, u64.',
    ],
    [
      { ...packets, packet: { ...packet, fields: [{ name: 'x' }] } },
      '"streams.stream0.packet.fields[0].type" is missing: one of i8, u8, i16, u16, i24, u24, i32, u32, i64, u64, f32, f64.',
    ],
    [
      { ...packets, packet: { ...packet, fields: [{ skip: 1, name: 'x' }] } },
      '"streams.stream0.packet.fields[0].skip" goes with no other key.',
    ],
    [
      {
        ...packets,
        packet: {
          ...packet,
          fields: [
            { name: 'x', type: 'u8' },
            { name: 'x', type: 'u8' },
          ],
        },
      },
      '"streams.stream0.packet.fields[1].name" is that of another field.',
    ],
    [{ ...file, format: undefined }, 'Missing key "streams.stream0.format": "source: file" needs it.'],
    [{ ...slcan, bitrate: undefined }, 'Missing key "streams.stream0.bitrate": "source: slcan" needs it.'],
    [
      { ...slcan, bitrate: 300_000 },
      '"streams.stream0.bitrate" is 300000; it must be one of 10000, 20000, 50000, 100000, 125000, 250000, 500000, 800000, 1000000.',
    ],
    [
      { ...slcan, format: 'candump' },
      '"source: slcan" has no key "format"; remove "streams.stream0.format".',
    ],
    [{ source: 'socketcan' }, 'Missing key "streams.stream0.interface": "source: socketcan" needs it.'],
    [{ ...socketcan, interface: 'can/0' }, 'test: "interface" must be a name of an interface such as can0.'],
    [
      { ...socketcan, filters: ['12'] },
      'test: "filters.0" must be a identifier such as 7E8, 18FEF100, or with a mask 700/7F0.',
    ],
    [{ ...file, command: 'x' }, '"source: file" has no key "command"; remove "streams.stream0.command".'],
    [{ ...command, pace: 1 }, '"source: command" has no key "pace"; remove "streams.stream0.pace".'],
    [{ ...file, batch: { linger: 500 } }, 'test: "batch.linger" must be a duration such as 250ms, 5s, 2h.'],
    [
      { ...file, batch: { bytes: '1 MB/s' } },
      'test: "batch.bytes" must be a size such as 512KiB, 64MiB, 10GB.',
    ],
    [{ ...file, batch: { records: 0 } }, 'test: "batch.records" must be >= 1.'],
    [{ ...file, batch: { size: 1 } }, 'test: unknown key "batch.size".'],
    [{ ...file, batch: { span: '1h' } }, '"streams.stream0.batch.span" must be in the range 1ms to 30min.'],
    [{ ...file, batch: { bytes: '2MiB' } }, '"streams.stream0.batch.bytes" must be in the range 1B to 1MiB.'],
  ];
  for (const [config, message] of refused) {
    it(`refuses ${JSON.stringify(config)}`, () => {
      assert.throws(
        () => sourceOf(JSON.parse(JSON.stringify(config)) as object),
        (error: unknown) => {
          assert.ok(isFleetlogError(error, 'FLEETLOG_CONFIG'), String(error));
          assert.equal(error.message, message);
          return true;
        },
      );
    });
  }
});
