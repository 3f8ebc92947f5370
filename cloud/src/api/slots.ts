import { FleetlogError } from '@fleetlog/shared/errors';

/** Bounds how many of something run at a time. */
export class Slots {
  private taken = 0;

  constructor(
    private readonly what: string,
    private readonly max: number,
  ) {}

  get running(): number {
    return this.taken;
  }

  /** Disposing of the result gives the slot back. Errors: FLEETLOG_BUSY. */
  take(): Disposable {
    if (this.taken >= this.max) {
      throw new FleetlogError(
        'FLEETLOG_BUSY',
        `The cloud runs ${this.max} ${this.what} already, its limit; try again when one has ended.`,
      );
    }
    this.taken++;
    let isMine = true;
    return {
      [Symbol.dispose]: () => {
        if (isMine) this.taken--;
        isMine = false;
      },
    };
  }
}
