import type { Quantity } from '../physics/quantities.js';

/**
 * A signal in a message. The same description makes the database (DBC) and the encoder, so they can't disagree. Bits
 * are counted as in a DBC: `start` is the least significant bit of an Intel signal, the most significant one of a
 * Motorola signal.
 */
export interface SignalSpec {
  name: string;
  start: number;
  length: number;
  /** Default Motorola. */
  intel?: boolean;
  signed?: boolean;
  factor: number;
  offset: number;
  unit: string;
  /** Where the value comes from; a constant where it isn't a quantity. */
  from: Quantity | number;
  /** From the quantity's unit to the signal's. */
  scale?: number;
  sensor?: SensorSpec;
  /** Names of raw values. */
  labels?: Readonly<Record<number, string>>;
  comment?: string;
}

/** What a sensor does to the truth; quantisation is the signal's own. In the signal's unit. */
interface SensorSpec {
  /** Standard deviation. */
  noise?: number;
  /** Standard deviation of an offset that each vehicle's sensor has for life. */
  bias?: number;
  /** How old a value is when it is sent, ms; at most 320. */
  delayMs?: number;
}

export interface MessageSpec {
  name: string;
  /** Without flags; 29 bits where `extended`. */
  id: number;
  extended?: boolean;
  sender: string;
  length: number;
  /** A period that comes round, or for `event` messages the longest silence. */
  cycleMs: number;
  /** Sent when this quantity changes, too. */
  event?: Quantity;
  /** Not before this after the start: ECUs don't wake up together. */
  wakesMs?: number;
  signals: readonly SignalSpec[];
  /** Counts the frames sent, as a signal of its own. */
  counter?: { start: number; length: number; intel?: boolean };
  /** In a byte of its own: CRC-8 (SAE J1850) over identifier and data, or the XOR of all other bytes. */
  checksum?: { byte: number; kind: 'crc8' | 'xor' };
  comment: string;
}

/** All messages of a kind of vehicle. */
export interface NetworkSpec {
  name: string;
  bitrate: number;
  /** By name, with what they are. */
  nodes: Readonly<Record<string, string>>;
  messages: readonly MessageSpec[];
}

/** The signals of a message with its counter and its checksum, as the database lists them. */
export function allSignals(message: MessageSpec): SignalSpec[] {
  const { name, counter, checksum, signals } = message;
  const plain = { factor: 1, offset: 0, unit: '', from: 0 };
  return [
    ...signals,
    ...(counter
      ? [{ ...plain, ...counter, name: `${name}Counter`, comment: 'One more with each frame.' }]
      : []),
    ...(checksum
      ? [
          {
            ...plain,
            name: `${name}Checksum`,
            start: checksum.byte * 8 + 7,
            length: 8,
            comment:
              checksum.kind === 'crc8'
                ? 'CRC-8 SAE J1850 (0x1D, start 0xFF, end 0xFF) over the identifier, low byte first, and the other bytes.'
                : 'XOR of the other bytes.',
          },
        ]
      : []),
  ];
}
