import assert from 'node:assert/strict';
import { BusOffRestart } from '#gateway/sources/socketcan/bus-off-restart.js';
import { listCanLinks, restartRequest, type AskKernel } from '#gateway/sources/socketcan/netlink.js';
import { BUS_OFF, linksOf, message, u32 } from '../support/kernel-links.js';
import { captureLog } from '../support/log-capture.js';
import { FakeClock } from '../support/fake-clock.js';

const answer = (errno: number): Buffer => message(2, Buffer.concat([u32(-errno >>> 0), Buffer.alloc(16)]));

/** A kernel with one controller, which answers requests to restart it by `errnos`; the last of them stays. */
class Kernel {
  readonly restarts: Buffer[] = [];
  state = { state: BUS_OFF, up: true, restartMs: 0 };
  onRestart: () => void = () => {};

  constructor(private readonly errnos: number[] = [0]) {}

  readonly ask: AskKernel = (request) => {
    const bytes = Buffer.from(request);
    if (bytes.readUInt16LE(4) === 18) return linksOf(this.state);
    this.restarts.push(bytes);
    this.onRestart();
    return answer(this.errnos.length > 1 ? this.errnos.shift()! : this.errnos[0]);
  };
}

function lookingAfter(kernel: Kernel) {
  const clock = new FakeClock();
  const events: object[] = [];
  const logger = captureLog();
  const restart = new BusOffRestart({
    stream: 'can0',
    interfaceName: 'can0',
    afterMs: 1000,
    ask: kernel.ask,
    clock,
    logger,
    events: { note: (type, { result, reason }) => void events.push([type, result, reason].filter(Boolean)) },
  });
  const stop = new AbortController();
  const done = restart.lookAfter(stop.signal);
  return { clock, events, log: logger.entries, restart, stop, done };
}

describe('the kernel, asked by netlink', () => {
  it('describes CAN interfaces', () => {
    const [link, ...others] = listCanLinks(() => linksOf());
    assert.deepEqual(others, []);
    const {
      name,
      index,
      up,
      kind,
      state,
      bitrate,
      dataBitrate,
      listenOnly,
      fd,
      transmitErrors,
      receiveErrors,
    } = link;
    assert.deepEqual([name, index, up, kind, state], ['can0', 4, true, 'can', 'bus-off']);
    assert.deepEqual([bitrate, dataBitrate, listenOnly, fd], [500_000, undefined, true, false]);
    assert.deepEqual([transmitErrors, receiveErrors, link.receivedFrames], [248, 96, 1234]);
    assert.deepEqual(link.counts, {
      busErrors: 7,
      warnings: 2,
      passives: 3,
      busOffs: 4,
      arbitrationLost: 5,
      restarts: 6,
    });
  });

  it('is asked for a restart with the bytes that ip uses', () => {
    // ip link set can0 type can restart: RTM_NEWLINK, index 4, IFLA_LINKINFO { "can", { IFLA_CAN_RESTART 1 } }
    assert.equal(
      Buffer.from(restartRequest(4)).toString('hex'),
      ['38000000', '1000', '0500', '01000000', '00000000'].join('') +
        ['0000', '0000', '04000000', '00000000', '00000000'].join('') +
        ['1800', '1280', '0700', '0100', '63616e00', '0c00', '0280', '0800', '0700', '01000000'].join(''),
    );
  });
});

describe('a controller that is bus-off', () => {
  it('is restarted after the wait, again while it is off, and each time is an event', async () => {
    const kernel = new Kernel();
    kernel.onRestart = () => {
      if (kernel.restarts.length === 2) kernel.state.state = 0;
    };
    const { clock, events, restart, stop, done } = lookingAfter(kernel);
    await restart.lookAfter(stop.signal); // it is looked after already
    assert.equal(kernel.restarts.length, 0);
    await done;
    assert.deepEqual(clock.sleepsMs, [1000, 1000]);
    assert.equal(kernel.restarts.length, 2);
    assert.deepEqual(events, Array(2).fill(['can.restart', 'restarted']));
  });

  it('is left alone where it has recovered, is down, or the gateway stops', async () => {
    for (const change of [{ state: 0 }, { up: false }]) {
      const kernel = new Kernel();
      const { done } = lookingAfter(kernel);
      Object.assign(kernel.state, change);
      await done;
      assert.equal(kernel.restarts.length, 0);
    }
    const kernel = new Kernel();
    const { stop, done } = lookingAfter(kernel);
    stop.abort();
    await done;
    assert.equal(kernel.restarts.length, 0);
  });

  it('is given up where the gateway may not, or the kernel does it, with the way out', async () => {
    const forbidden = lookingAfter(new Kernel([1]));
    await forbidden.done;
    assert.match(forbidden.log.at(-1)!.message, /CAP_NET_ADMIN/);
    assert.deepEqual(forbidden.events, [['can.restart', 'refused', 'EPERM']]);
    const kernel = new Kernel([16]);
    kernel.state.restartMs = 100;
    const twice = lookingAfter(kernel);
    await twice.done;
    assert.match(twice.log.at(-1)!.message, /every 100 ms, so remove "restart"/);
  });

  it('is tried again where the kernel was busy', async () => {
    const kernel = new Kernel([16, 0]);
    kernel.onRestart = () => {
      if (kernel.restarts.length === 2) kernel.state.state = 0;
    };
    const { events, done } = lookingAfter(kernel);
    await done;
    assert.deepEqual(events, [
      ['can.restart', 'refused', 'EBUSY'],
      ['can.restart', 'restarted'],
    ]);
  });
});
