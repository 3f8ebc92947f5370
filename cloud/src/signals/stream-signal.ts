import type { Validity } from './catalogue/index.js';
import type { Message, Signal } from './dbc/model.js';

/**
 * What lists, queries and rollups know of a signal, whatever the records are that it is decoded from. A signal may have
 * several of these, at different times.
 */
interface SignalFacts extends Validity {
  gateway: string;
  stream: string;
  /** Behind the stream's name: `Message/Signal`. */
  name: string;
  unit: string;
  comment: string;
  cycleTimeMs: number | undefined;
  /** Text of values that have one. */
  labels: ReadonlyMap<number, string> | undefined;
  /** What says what the records mean, as people know it. */
  database: string;
  /** Changes whenever values may: the SHA-256 of the database's content. */
  version: string;
}

/** A signal in CAN frames, as a database that applies to the stream has it. */
export interface CanSignal extends SignalFacts {
  kind: 'can';
  message: Message;
  signal: Signal;
}

/** By the kind of records that it is decoded from. */
export type StreamSignal = CanSignal;

/** `stream/Message/Signal` */
export const fullName = ({ stream, name }: StreamSignal): string => `${stream}/${name}`;
