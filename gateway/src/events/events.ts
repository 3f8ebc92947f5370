/** What happens to the gateway itself goes into a stream of its own, beside those of the vehicle. */
export interface GatewayEvents {
  /**
   * Notes that something happened, now. `type` is dotted, from general to special: `clock.step`. Never throws and never
   * waits: an event that can't be kept is counted, and the log says so.
   */
  note(type: string, attributes: Record<string, string | number | boolean>): void;
}

/** The stream that the gateway's own events are in; no source may have this name. */
export const EVENTS_STREAM = 'events';
