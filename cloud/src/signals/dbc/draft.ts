import type { Message, Signal, ValueRange } from './model.js';

/** A message and its signals as they stand in the text, before anything that refers to them is read. */
export interface MessageDraft {
  at: number;
  /** As in the text: bit 31 marks 29-bit identifiers. */
  rawId: number;
  message: Message;
  signals: SignalDraft[];
}

export interface SignalDraft {
  at: number;
  signal: Signal;
  /** `M`, `m3`, `m3M` in the text; undefined for what is always there. */
  selector: number | undefined;
}

/** The part of the database that a statement speaks of. */
export type Target =
  | { of: 'database' }
  | { of: 'message'; rawId: number }
  | { of: 'signal'; rawId: number; signal: string }
  /** Nodes, environment variables, relations: read, and not used. */
  | { of: 'other' };

export type Labels = Map<number, string>;

/** What was read of a database: statements may refer to what comes later, so they are put together at the end. */
export class Draft {
  version = '';
  readonly nodes: { at: number; name: string }[] = [];
  readonly messages: MessageDraft[] = [];
  readonly tables = new Map<string, Labels>();
  /** `labels` as a text names a table. */
  readonly labels: { at: number; rawId: number; signal: string; labels: Labels | string }[] = [];
  readonly comments: { at: number; target: Target; text: string }[] = [];
  readonly rawKinds: { at: number; rawId: number; signal: string; kind: number }[] = [];
  readonly multiplexings: {
    at: number;
    rawId: number;
    signal: string;
    multiplexor: string;
    ranges: ValueRange[];
  }[] = [];
  /** Values of enumerated attributes, by name of the attribute. */
  readonly enumerations = new Map<string, string[]>();
  readonly defaults = new Map<string, string | number>();
  readonly attributes: { at: number; name: string; target: Target; value: string | number }[] = [];
}
