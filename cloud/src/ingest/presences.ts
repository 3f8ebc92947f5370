import { FleetlogError } from '@fleetlog/shared/errors';
import { decodeStatus, encodeMessage, type GatewayStatus } from '@fleetlog/shared/topics';
import type { Log, LogNote } from '../log/log.js';
import type { GatewayPresence } from './fleet.js';
import { announcedNote } from './held.js';

/*
 * note "status/{gateway}" = when it came (8 bytes, double, little endian, µs), then the message
 */
const statusPrefix = 'status/';

/** A gateway has fewer; each costs memory. */
const streamsMax = 1024;

/** What a status changes in the log. */
interface StatusNote {
  note: LogNote;
  /** The stream that it announces, where the status before didn't. */
  begins?: { gateway: string; epoch: string; stream: string };
}

/** What gateways say of themselves, and when they were last heard of. */
export class Presences {
  private readonly byGateway = new Map<string, GatewayPresence>();

  private constructor(private readonly gatewaysMax: number) {}

  /** Nobody counts as connected until heard of again. */
  static async load(log: Pick<Log, 'notes'>, gatewaysMax: number): Promise<Presences> {
    const presences = new Presences(gatewaysMax);
    for await (const { key, value } of log.notes(statusPrefix)) {
      const gateway = key.slice(statusPrefix.length);
      const lastSeenUs = Buffer.from(value).readDoubleLE(0);
      const status = decodeStatus(value.subarray(8));
      presences.byGateway.set(gateway, { gateway, connected: false, lastSeenUs, status });
    }
    return presences;
  }

  /** False for a gateway that would be one too many. */
  admits(gateway: string): boolean {
    return this.byGateway.has(gateway) || this.byGateway.size < this.gatewaysMax;
  }

  /** A batch came, of the gateway itself or of a recording under its name, which nobody is connected for. */
  seen(gateway: string, nowUs: number, isImport: boolean): void {
    const presence = this.of(gateway);
    presence.connected ||= !isImport;
    presence.lastSeenUs = nowUs;
  }

  /**
   * A status or last will came. Returns the notes that keep it, and what it announces: the next epoch's status takes
   * its place, and what the old epoch announced and never delivered must still be known to be missing.
   * Errors: FLEETLOG_MESSAGE_MALFORMED.
   */
  update(gateway: string, message: Uint8Array, nowUs: number): StatusNote[] {
    const said = decodeStatus(message);
    if (Object.keys(said.streams).length > streamsMax) {
      throw new FleetlogError(
        'FLEETLOG_MESSAGE_MALFORMED',
        `The status of the gateway "${gateway}" names more than ${streamsMax} streams.`,
      );
    }
    const presence = this.of(gateway);
    const known = presence.status?.epoch === said.epoch ? presence.status.streams : {};
    const status = notBefore(said, presence.status);
    presence.connected = status.connected;
    presence.lastSeenUs = nowUs;
    presence.status = status;
    const time = Buffer.alloc(8);
    time.writeDoubleLE(nowUs);
    const { epoch } = status;
    return [
      { note: { key: `${statusPrefix}${gateway}`, value: Buffer.concat([time, encodeMessage(status)]) } },
      ...Object.entries(status.streams).map(([stream, { next }]) => {
        const identity = { gateway, epoch, stream };
        const note = announcedNote(identity, next);
        return Object.hasOwn(known, stream) ? { note } : { note, begins: identity };
      }),
    ];
  }

  all(): GatewayPresence[] {
    return Array.from(this.byGateway.values(), (presence) => ({ ...presence }));
  }

  private of(gateway: string): GatewayPresence {
    let presence = this.byGateway.get(gateway);
    if (!presence) {
      presence = { gateway, connected: false, lastSeenUs: 0, status: undefined };
      this.byGateway.set(gateway, presence);
    }
    return presence;
  }
}

/** A last will was written when the connection began: what was announced since then still holds. */
function notBefore(status: GatewayStatus, known: GatewayStatus | undefined): GatewayStatus {
  if (known?.epoch !== status.epoch) return status;
  const streams = { ...known.streams, ...status.streams };
  if (Object.keys(streams).length > streamsMax) return status;
  for (const [stream, { first, next }] of Object.entries(known.streams)) {
    const told = streams[stream];
    streams[stream] = { ...told, first: Math.max(first, told.first), next: Math.max(next, told.next) };
  }
  return { ...status, streams };
}
