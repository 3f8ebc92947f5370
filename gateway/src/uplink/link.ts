import type { TlsOptions } from './dial.js';

/** One connection to the broker, from its acceptance to its end. */
export interface Link {
  /** Batches that the broker lets be under way at once (MQTT 5's receive maximum); Infinity where it doesn't say. */
  readonly receiveMax: number;
  /** Largest packet that the broker takes, bytes (MQTT 5's maximum packet size); Infinity where it doesn't say. */
  readonly packetBytesMax: number;
  /** Bytes that the operating system has taken so far: grows as long as the connection moves. */
  readonly flushedBytes: number;
  readonly isOpen: boolean;
  /** Resolves at the end of the connection with the reason. */
  readonly closed: Promise<string>;
  /**
   * QoS 1. Resolves when the broker has confirmed, rejects where it refuses (MQTT 5); may stay pending for ever where
   * the link dies.
   */
  publish(topic: string, payload: Uint8Array, options?: { retain?: boolean }): Promise<void>;
  /**
   * Resolves when what was published has left for the operating system, the link is closed, or the signal aborts. Called
   * for each turn of a connection that may last for weeks: it must leave nothing with `closed` or the signal.
   */
  drained(signal: AbortSignal): Promise<void>;
  /** Tells the meter what went over the wire since the last time. */
  count(): void;
  /** Says goodbye, so that the broker doesn't publish the last will. */
  end(): Promise<void>;
  /** Cuts the connection; the broker will publish the last will when it notices. */
  drop(reason: string): void;
}

export interface LinkOptions {
  url: string;
  clientId: string;
  username: string;
  password: string | undefined;
  protocol: '3.1.1' | '5';
  tls: TlsOptions;
  /** Told what goes over the wire, bytes; also of attempts that fail. */
  meter: { count(sent: number, received: number): void };
  keepAliveMs: number;
  connectTimeoutMs: number;
  will: { topic: string; payload: Uint8Array };
  /** Topic whose messages go to `onMessage`. */
  subscribeTo: string;
  onMessage(payload: Uint8Array): void;
}

/** Connects and subscribes. Errors: FLEETLOG_UNREACHABLE, with a sentence. */
export type Connect = (options: LinkOptions, signal: AbortSignal) => Promise<Link>;
