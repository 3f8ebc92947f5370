import { CAN_EFF_FLAG, CanFrames, FRAME_FD } from '@fleetlog/shared/can';

/** Beside the bits of shared's frames: put together. */
export const FRAME_PAYLOAD = 0x80;

/** Payloads that were put together of several frames, as frames of their own that are as long as it takes. */
export class Payloads {
  readonly frames = new CanFrames(64, 4096);

  /** `timeUs` is that of the last frame. The flags say that the data are whole. */
  add(timeUs: number, id: number, isExtended: boolean, bytes: Uint8Array, length: number): void {
    const canId = isExtended ? (id | CAN_EFF_FLAG) >>> 0 : id;
    this.frames.append(timeUs, canId, FRAME_FD | FRAME_PAYLOAD, 0, 0, bytes, 0, length);
  }
}

/** Why multi-frame messages were given up, since the start. */
export interface TransportCounters {
  /** A frame didn't come, or came out of turn. */
  incomplete: number;
  /** Longer than the protocol allows, or than we take. */
  impossible: number;
}
