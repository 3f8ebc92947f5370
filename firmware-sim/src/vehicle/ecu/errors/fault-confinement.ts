/* ISO 11898-1, "fault confinement" */
const FAILED_SENDING = 8;
const FAILED_RECEIVING = 1;
const WARNING = 96;
const PASSIVE_ABOVE = 127;
const OFF_ABOVE = 255;
/** Where an error counter of receiving goes from above the limit, with a frame that was received well. */
const BACK_TO = 120;

export type ErrorState = 'error-active' | 'error-warning' | 'error-passive' | 'bus-off';

/** The error counters of one controller, and what follows from them (ISO 11898-1, fault confinement). */
export class FaultConfinement {
  /** Transmit and receive error counter (TEC, REC). */
  transmitErrors = 0;
  receiveErrors = 0;
  /** Bus-off until then, µs since the start. */
  offUntilUs = 0;

  constructor(readonly node: string) {}

  /** "error-warning" is what drivers call counters of 96 and more; the standard has no such state. */
  get state(): ErrorState {
    const { transmitErrors, receiveErrors } = this;
    if (transmitErrors > OFF_ABOVE) return 'bus-off';
    const higher = Math.max(transmitErrors, receiveErrors);
    return higher > PASSIVE_ABOVE ? 'error-passive' : higher >= WARNING ? 'error-warning' : 'error-active';
  }

  get isPassive(): boolean {
    return this.state === 'error-passive';
  }

  sent(): void {
    if (this.transmitErrors > 0) this.transmitErrors--;
  }

  received(): void {
    const { receiveErrors } = this;
    if (receiveErrors > 0) this.receiveErrors = receiveErrors > PASSIVE_ABOVE ? BACK_TO : receiveErrors - 1;
  }

  /** True where that was the error that takes it off the bus. */
  failedSending(): boolean {
    this.transmitErrors += FAILED_SENDING;
    return this.state === 'bus-off';
  }

  /** All receivers notice in the same bit; so none of them adds 8 for having been the first. */
  failedReceiving(): void {
    if (this.receiveErrors <= PASSIVE_ABOVE) this.receiveErrors += FAILED_RECEIVING;
  }

  /** After 128 times 11 recessive bits. */
  recover(): void {
    this.transmitErrors = 0;
    this.receiveErrors = 0;
  }
}
