/** What a database says about the frames of a bus: messages, and the signals in their bytes. */
export interface Database {
  version: string;
  nodes: string[];
  messages: Message[];
  attributes: Attributes;
}

export type Attributes = ReadonlyMap<string, string | number>;

/**
 * `VFrameFormat`; databases that don't say are `standard` or `extended`, by the identifier. Ours are `iso-tp` and
 * `iso-tp-address`, which has an address in the first byte of each frame: `IsoTpAddressing` says them. And `obd`: answers
 * to OBD-II requests, one parameter each.
 */
export type FrameFormat =
  'standard' | 'extended' | 'standard-fd' | 'extended-fd' | 'j1939' | 'iso-tp' | 'iso-tp-address' | 'obd';

export interface Message {
  name: string;
  /** 11 or 29 bits. */
  id: number;
  isExtended: boolean;
  format: FrameFormat;
  /** Bytes; over 64 where a transport protocol carries the message. */
  length: number;
  /** Empty where nobody sends it. */
  sender: string;
  signals: Signal[];
  comment: string;
  /** `GenMsgCycleTime`; undefined where it isn't said, or the message isn't cyclic. */
  cycleTimeMs: number | undefined;
  attributes: Attributes;
}

export type RawKind = 'unsigned' | 'signed' | 'float' | 'double';

/** Inclusive. */
export type ValueRange = readonly [number, number];

/** A signal that is only there while another one, the multiplexor, has one of these values. */
interface Multiplexing {
  multiplexor: string;
  ranges: readonly ValueRange[];
}

export interface Signal {
  name: string;
  /** As the format counts: the lowest bit of a little-endian signal, the highest one of a big-endian signal. */
  startBit: number;
  /** Bits, 1 to 64. */
  length: number;
  isBigEndian: boolean;
  raw: RawKind;
  /** value = raw × factor + offset */
  factor: number;
  offset: number;
  /** NaN where the database has no number. */
  minimum: number;
  maximum: number;
  unit: string;
  receivers: string[];
  comment: string;
  /** Other signals of the message depend on this one. */
  isMultiplexor: boolean;
  multiplexing: Multiplexing | undefined;
  /** Names of raw values. */
  labels: ReadonlyMap<number, string> | undefined;
  attributes: Attributes;
}

/** Limits of what is read; beyond them is an error of the database. */
export const databaseLimits = {
  bytesMax: 16 * 1024 * 1024,
  messagesMax: 65_536,
  signalsPerMessageMax: 8192,
  /** A CAN FD frame, or the longest message that ISO-TP with 12-bit lengths carries. */
  messageBytesMax: 4095,
  /** Multiplexors that depend on one another. */
  cascadeMax: 16,
  /** Ranges of one multiplexed signal. */
  rangesMax: 1024,
} as const;

/** The byte that holds the signal's last bit, and one: frames must be as long. */
export function bytesNeeded({ startBit, length, isBigEndian }: Signal): number {
  if (!isBigEndian) return ((startBit + length - 1) >> 3) + 1;
  // Bits of the first byte go down from the start bit; the rest fills the bytes behind it.
  return (startBit >> 3) + 1 + Math.ceil(Math.max(0, length - (startBit & 7) - 1) / 8);
}
