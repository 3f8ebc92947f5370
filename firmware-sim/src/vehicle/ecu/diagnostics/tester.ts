import { GATEWAY } from '../errors/disturbances.js';
import { FrameQueue } from '../frame-queue.js';
import { addressesOf } from './addresses.js';
import { IsoTpEnd } from './iso-tp.js';

/** When no answer comes, the next question comes after this. */
const GIVES_UP_US = 1e6;
const BETWEEN_US = 20_000;
/** After the network's wake-up. */
const BEGINS_US = 2e6;
const PADDING = 0x55;

interface Question {
  forAll: boolean;
  payload: readonly number[];
}

const all = (...payload: number[]): Question => ({ forAll: true, payload });
const unit = (...payload: number[]): Question => ({ forAll: false, payload });

/** What the vehicle is: once after each start. */
const identification: readonly Question[] = [
  all(0x01, 0x00),
  all(0x01, 0x20, 0x40, 0xa0),
  all(0x09, 0x02), // VIN
  all(0x09, 0x0a), // name of the control unit
  unit(0x10, 0x03), // extended session
  unit(0x22, 0xf1, 0x90, 0xf1, 0x8c, 0xf1, 0x89, 0xf4, 0x0d), // a request of two frames
];
/** How it is: in each round. */
const round: readonly Question[] = [
  all(0x01, 0x0d, 0x05, 0x0c, 0x04, 0x2f, 0x5b),
  all(0x01, 0x42, 0x46, 0x49, 0x5c, 0x5e, 0x1f),
  all(0x01, 0x01),
  all(0x01, 0xa6),
  all(0x03),
  all(0x07),
  unit(0x22, 0xf4, 0x0d, 0xf4, 0x42),
  unit(0x19, 0x02, 0x0d), // codes that failed, are pending or confirmed
  unit(0x3e, 0x80),
];

/** A telematics unit that asks a control unit for its values and trouble codes, each `periodUs`. */
export class Tester {
  /** In the order of their priorities. */
  readonly queues: readonly [forAll: FrameQueue, forUnit: FrameQueue];
  private readonly end: IsoTpEnd;
  private questions: readonly Question[] = [];
  private next = 0;
  private roundUs = 0;
  private pendingForAll: Uint8Array | undefined;

  /** `onSent`: gets each frame that it has sent. */
  constructor(
    private readonly periodUs: number,
    { extended, interfaceName }: { extended: boolean; interfaceName: string },
    onSent: (id: number, data: Uint8Array, endUs: number) => void,
  ) {
    const addresses = addressesOf(extended);
    const onRestart = (atUs: number): void => this.start(atUs);
    const options = { extended, node: GATEWAY, interfaceName, onRestart };
    this.queues = [
      new FrameQueue({
        ...options,
        id: addresses.all,
        onSent: (data, endUs) => {
          onSent(addresses.all, data, endUs);
          this.ask(endUs + GIVES_UP_US);
        },
      }),
      new FrameQueue({
        ...options,
        id: addresses.request,
        onSent: (data, endUs) => {
          this.end.frameSent(data, endUs);
          onSent(addresses.request, data, endUs);
        },
      }),
    ];
    this.end = new IsoTpEnd({
      queue: this.queues[1],
      padding: PADDING,
      blockSize: 0,
      separationMs: 1,
      onSent: (endUs) => this.ask(endUs + GIVES_UP_US),
      onMessage: (_answer, atUs) => this.ask(atUs + BETWEEN_US, true),
    });
    this.start(0);
  }

  /** Takes a frame of the control unit. */
  take(data: Uint8Array, atUs: number): void {
    this.end.take(data, atUs);
  }

  /** Begins anew: it can send from `atUs` on. */
  private start(atUs: number): void {
    this.cancel();
    this.questions = [...identification, ...round];
    this.next = 0;
    this.roundUs = atUs + BEGINS_US;
    this.ask(this.roundUs);
  }

  /** Puts the next question; `instead`: of the one that waits for the answer's time to be over. */
  private ask(dueUs: number, instead = false): void {
    if (instead) {
      this.next--;
      this.cancel();
    }
    if (this.next === this.questions.length) {
      this.questions = round;
      this.next = 0;
      this.roundUs += this.periodUs;
    }
    const { forAll, payload } = this.questions[this.next];
    const atUs = this.next === 0 ? Math.max(dueUs, this.roundUs) : dueUs;
    this.next++;
    if (!forAll) return this.end.send(Uint8Array.from(payload), atUs);
    const data = new Uint8Array(8).fill(PADDING);
    data.set([payload.length, ...payload]);
    this.pendingForAll = data;
    this.queues[0].push(data, atUs);
  }

  private cancel(): void {
    this.end.cancel();
    if (this.pendingForAll) this.queues[0].cancel(this.pendingForAll);
  }
}
