/* linux/can/error.h */
const CAN_ERR_CRTL = 0x04;
const CAN_ERR_BUSOFF = 0x40;
const CAN_ERR_RESTARTED = 0x100;
const RX_WARNING = 0x04;
const TX_WARNING = 0x08;
const RX_PASSIVE = 0x10;
const TX_PASSIVE = 0x20;
const ACTIVE = 0x40;

export type BusState = 'error-active' | 'error-warning' | 'error-passive' | 'bus-off' | 'restarted';

/** What an error frame says of the controller's state: its class, and the second byte of its data; undefined: nothing. */
export function busStateOf(errorClass: number, controller: number): BusState | undefined {
  if (errorClass & CAN_ERR_BUSOFF) return 'bus-off';
  if (errorClass & CAN_ERR_RESTARTED) return 'restarted';
  if ((errorClass & CAN_ERR_CRTL) === 0) return undefined;
  if (controller & (RX_PASSIVE | TX_PASSIVE)) return 'error-passive';
  if (controller & (RX_WARNING | TX_WARNING)) return 'error-warning';
  return controller & ACTIVE ? 'error-active' : undefined;
}
