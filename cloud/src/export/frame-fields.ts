import {
  CAN_EFF_FLAG,
  CAN_EFF_MASK,
  CAN_ERR_FLAG,
  CAN_RTR_FLAG,
  CAN_SFF_MASK,
  FRAME_BRS,
  FRAME_ESI,
  FRAME_FD,
  FRAME_RX,
  FRAME_TX,
  type CanFrames,
} from '@fleetlog/shared/can';

/** What a frame says, in the words of formats that have a column for each; one object is used for frame after frame. */
export class FrameFields {
  bus = '';
  /** Without its flags but Linux's for error frames. */
  id = 0;
  /** 29 bits. */
  isExtended = false;
  /** Has more than 11 bits, as extended identifiers and error frames do. */
  isLong = false;
  type: 'data' | 'remote' | 'fd' | 'error' = 'data';
  isFd = false;
  brs = false;
  esi = false;
  direction: 'rx' | 'tx' | undefined;
  /** As on the bus, but for FD, where it is the number of bytes. */
  dlc = 0;

  /** Takes the fields of frame `index`. */
  read(frames: CanFrames, index: number): void {
    const canId = frames.id[index];
    const flags = frames.flags[index];
    this.bus = frames.buses[frames.bus[index]];
    this.isExtended = (canId & CAN_EFF_FLAG) !== 0;
    this.isLong = (canId & (CAN_EFF_FLAG | CAN_ERR_FLAG)) !== 0;
    this.id = this.isLong ? canId & (CAN_ERR_FLAG | CAN_EFF_MASK) : canId & CAN_SFF_MASK;
    this.isFd = (flags & FRAME_FD) !== 0;
    this.type = canId & CAN_ERR_FLAG ? 'error' : canId & CAN_RTR_FLAG ? 'remote' : this.isFd ? 'fd' : 'data';
    this.brs = this.isFd && (flags & FRAME_BRS) !== 0;
    this.esi = this.isFd && (flags & FRAME_ESI) !== 0;
    this.direction = flags & FRAME_RX ? 'rx' : flags & FRAME_TX ? 'tx' : undefined;
    this.dlc = this.isFd ? frames.dataStart[index + 1] - frames.dataStart[index] : frames.dlc[index];
  }
}
