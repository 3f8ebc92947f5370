/** How the electronics of a vehicle behave, beside what its network says; by default they do nothing of it. */
export interface Firmware {
  /** A telematics unit asks the control unit of engine or drive that often, µs. */
  diagnosticsUs?: number;
}
