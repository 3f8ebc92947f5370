import { Prng } from '../../prng.js';
import { FrameQueue } from '../frame-queue.js';
import { addressesOf, isRequestForAll } from './addresses.js';
import { IsoTpEnd } from './iso-tp.js';
import { DiagnosticServices, type DiagnosedVehicle } from './services.js';

/** How long a control unit thinks; it must have answered within 50 ms (P2). */
const THINKS_US = [3000, 24_000] as const;
const PADDING = 0xaa;

/** A control unit as a tester finds it on the bus: takes requests, answers in as many frames as it needs. */
export class DiagnosedUnit {
  readonly queue: FrameQueue;
  private readonly end: IsoTpEnd;
  private readonly services: DiagnosticServices;
  private readonly prng: Prng;
  /** The request that is being taken was for all control units. */
  private isForAll = false;

  /** `onSent`: gets each frame that it has sent. */
  constructor(
    vehicle: DiagnosedVehicle,
    { extended, node, interfaceName }: { extended: boolean; node: string; interfaceName: string },
    onSent: (data: Uint8Array, endUs: number) => void,
  ) {
    this.prng = new Prng(vehicle.seed, 50);
    this.services = new DiagnosticServices(vehicle);
    this.queue = new FrameQueue({
      id: addressesOf(extended).answer,
      extended,
      node,
      interfaceName,
      onSent: (data, endUs) => {
        this.end.frameSent(data, endUs);
        onSent(data, endUs);
      },
    });
    this.end = new IsoTpEnd({
      queue: this.queue,
      padding: PADDING,
      blockSize: 8,
      separationMs: 2,
      onMessage: (request, atUs) => {
        const answer = this.services.answer(request, this.isForAll);
        if (answer) this.end.send(answer, atUs + this.prng.between(...THINKS_US));
      },
    });
  }

  /** Takes a frame of the bus; those that aren't requests to it are left aside. */
  take(id: number, extended: boolean, data: Uint8Array, atUs: number): void {
    if (extended !== this.queue.extended) return;
    this.isForAll = isRequestForAll(id, extended);
    // Requests for all are of one frame.
    if (this.isForAll ? data[0] < 8 : id === addressesOf(extended).request) this.end.take(data, atUs);
  }
}
