import type { Validity } from './catalogue/index.js';
import type { Message, Signal } from './dbc/model.js';
import type { Dialect } from './gps/line-reader.js';

/**
 * What lists, queries and rollups know of a signal, whatever the records are that it is decoded from. A signal may have
 * several of these, at different times.
 */
interface SignalFacts extends Validity {
  gateway: string;
  stream: string;
  /** Behind the stream's name: `Message/Signal`, or a channel's name. */
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

/** A number in the reports of a GPS receiver, or what they say together (`position`). */
export interface LineSignal extends SignalFacts {
  kind: 'lines';
  /** Of the report; undefined for the position. */
  dialect: Dialect | undefined;
  type: string;
  /** Place in the type's signals, or in those of the position. */
  place: number;
}

/** A channel of samples. */
export interface SampleSignal extends SignalFacts {
  kind: 'samples';
}

/** By the kind of records that it is decoded from. */
export type StreamSignal = CanSignal | LineSignal | SampleSignal;

/** `stream/Message/Signal` */
export const fullName = ({ stream, name }: StreamSignal): string => `${stream}/${name}`;
