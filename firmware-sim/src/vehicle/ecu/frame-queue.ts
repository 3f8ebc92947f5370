import { lineHead } from '../candump-line.js';
import type { BusSender } from './sender.js';

/** More isn't kept: a tester that floods the bus loses requests, as in a controller's mailbox. */
const FRAMES_MAX = 64;

interface QueuedFrame {
  data: Uint8Array;
  dueUs: number;
}

export interface FrameQueueOptions {
  id: number;
  extended: boolean;
  node: string;
  /** Of the text; absent where the frames come from outside, whose sender doesn't hear itself. */
  interfaceName?: string;
  /** Called when a frame has been sent. */
  onSent: (data: Uint8Array, endUs: number) => void;
  /** Called when what was in it is gone, and it can send again from `atUs` on. */
  onRestart?: (atUs: number) => void;
}

/** Sends single frames under one identifier, each when it is due; of those that are, the first given first. */
export class FrameQueue implements BusSender {
  readonly id: number;
  readonly extended: boolean;
  readonly node: string;
  readonly head: Uint8Array;
  dueUs = Infinity;
  private readonly frames: QueuedFrame[] = [];
  private readonly onSent: FrameQueueOptions['onSent'];
  private readonly onRestart: FrameQueueOptions['onRestart'];
  private offUntilUs = 0;
  private isAsleep = false;

  constructor({ id, extended, node, interfaceName, onSent, onRestart }: FrameQueueOptions) {
    this.id = id;
    this.extended = extended;
    this.node = node;
    this.head =
      interfaceName === undefined ? new Uint8Array(0) : lineHead(interfaceName, id, extended ? 8 : 3, '#');
    this.onSent = onSent;
    this.onRestart = onRestart;
  }

  /** Nothing while the control unit can't send, or where the queue is full. */
  push(data: Uint8Array, dueUs: number): void {
    if (this.isAsleep || dueUs < this.offUntilUs || this.frames.length >= FRAMES_MAX) return;
    const behind = this.frames.findIndex((frame) => frame.dueUs > dueUs);
    this.frames.splice(behind < 0 ? this.frames.length : behind, 0, { data, dueUs });
    this.settle();
  }

  /** Takes a frame back that isn't on the wire yet. */
  cancel(data: Uint8Array): void {
    const at = this.frames.findIndex((frame) => frame.data === data);
    if (at >= 0) this.frames.splice(at, 1);
    this.settle();
  }

  prepare(): Uint8Array {
    return this.frames[0].data;
  }

  sent(_beginUs: number, endUs: number): void {
    const [{ data }] = this.frames.splice(0, 1);
    this.settle();
    this.onSent(data, endUs);
  }

  drop(untilUs: number): void {
    this.frames.length = 0;
    this.settle();
    if (this.isAsleep) return;
    this.offUntilUs = untilUs;
    this.onRestart?.(untilUs);
  }

  wake(atUs: number): void {
    this.isAsleep = false;
    this.drop(atUs);
  }

  rest(): void {
    this.isAsleep = true;
    this.drop(Infinity);
  }

  private settle(): void {
    this.dueUs = this.frames.length > 0 ? this.frames[0].dueUs : Infinity;
  }
}
