import { FleetlogError } from '@fleetlog/shared/errors';
import { CanInterface } from './can-interface.js';
import { GpsdServer } from './gpsd-server.js';
import { PseudoTerminal } from './pseudo-terminal.js';

/** A classic data frame; `id` without flags. The data belong to who takes them. */
export type TakeFrame = (id: number, extended: boolean, data: Uint8Array) => void;

/** Where a simulated device speaks, in the place of standard output. */
export interface Port extends AsyncDisposable {
  /** What others have to open, for the line that says so. */
  readonly name: string;
  /** Takes whole lines, packets or reports; what nobody hears is lost, as on a wire. */
  write(bytes: Uint8Array | string): void | Promise<void>;
  /** Gives the frames that others have sent since the last time; CAN interfaces only. */
  readFrames?(take: TakeFrame): void;
  /** What others send to the device; pseudo-terminals only. */
  onInput?(listener: (bytes: Uint8Array) => void): void;
}

/**
 * `pty:PATH`, `gpsd:HOST:PORT` or `can:INTERFACE`. Errors: FLEETLOG_USAGE, FLEETLOG_PLATFORM, FLEETLOG_PORT_TAKEN,
 * FLEETLOG_SOURCE.
 */
export async function openPort(target: string): Promise<Port> {
  const [, kind, place] = /^([a-z]+):(.+)$/.exec(target) ?? [];
  switch (kind) {
    case 'pty':
      return PseudoTerminal.open(place);
    case 'can':
      return CanInterface.open(place);
    case 'gpsd':
      return GpsdServer.listen(place);
    default:
      throw new FleetlogError(
        'FLEETLOG_USAGE',
        `--to must be pty:PATH, gpsd:HOST:PORT or can:INTERFACE, not ${target}.`,
      );
  }
}
