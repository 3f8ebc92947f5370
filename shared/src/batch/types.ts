/** What a batch is, whatever its kind. The bytes are specified in `format.md` beside this file. */

export const FORMAT_VERSION = 1;

export const streamKinds = ['can', 'lines', 'samples', 'events'] as const;
/** What a stream carries: see "Terms" in the architecture page. */
export type StreamKind = (typeof streamKinds)[number];

export const clockStates = ['unset', 'coarse', 'synced'] as const;
export type ClockState = (typeof clockStates)[number];

/** How the wall clock stood to the monotonic clock when the batch was stored. */
export interface BatchClock {
  /** wall = monotonic + this, µs. */
  wallOffsetUs: number;
  state: ClockState;
  /** Upper bound of the wall clock's error, µs; -1 where nobody knows. */
  uncertaintyUs: number;
  /**
   * True where each event time was read off this clock: it is monotonic + `wallOffsetUs`, so it can be corrected when
   * the boot's clock is known better. Absent where the times are the source's own, as those of a recording.
   */
  stamped?: boolean;
}

/** Where the records come from; simulated data are marked as such from end to end. */
export const origins = ['live', 'recording', 'simulated'] as const;
export type Origin = (typeof origins)[number];

/** Name of the payload's encoding; `gap` marks a gap record. */
export type CodecName = 'can-1' | 'lines-1' | 'samples-1' | 'events-1' | 'gap-1';

/** Readable without decompressing the payload. All times are integer µs since the Unix epoch. */
export interface BatchHeader {
  /** Id of the device: `[a-z0-9][a-z0-9-]{0,62}`. */
  gateway: string;
  /** 16 hex digits: one life of the buffer. */
  epoch: string;
  /** 16 hex digits: one life of the monotonic clock. */
  boot: string;
  /** Name of the stream: `[a-z0-9][a-z0-9_-]{0,62}`. */
  stream: string;
  kind: StreamKind;
  /** Number of the batch in its stream and epoch, from 0, without holes. */
  sequence: number;
  /** Equal to `sequence`, but for a gap record, which stands for `sequence … lastSequence`. */
  lastSequence: number;
  /** Smallest and largest event time of the records. */
  firstTimeUs: number;
  lastTimeUs: number;
  /** Records in the batch; in a gap record the records given up, -1 where nobody knows. */
  recordCount: number;
  /** When the gateway stored the batch. */
  storeTimeUs: number;
  clock: BatchClock;
  origin: Origin;
  codec: CodecName;
  /** Length of the payload once decompressed, bytes. */
  rawBytes: number;
  /** What the gateway took out of the batch for want of space; absent where it is whole. */
  thinned?: Thinned;
}

/** A batch that was thinned: it holds each n-th record per identifier, and says what it held besides. */
export interface Thinned {
  /** Of each identifier (of `samples`: of all rows) the first record was kept, and each n-th after it. */
  keepEachNth: number;
  /** Records taken out. */
  records: number;
  /** Event times between which they are missing. */
  firstTimeUs: number;
  lastTimeUs: number;
}

/** Which batch it is, among all of a fleet; these fields mean the same in every version of the format. */
export type BatchIdentity = Pick<BatchHeader, 'gateway' | 'epoch' | 'stream' | 'sequence'>;

/** A payload with the facts that its codec adds to the header. */
export interface EncodedPayload {
  kind: StreamKind;
  codec: CodecName;
  payload: Uint8Array;
  rawBytes: number;
  recordCount: number;
  firstTimeUs: number;
  lastTimeUs: number;
}

/** A checked batch; `payload` is a view into the bytes it was decoded from. */
export interface Batch {
  header: BatchHeader;
  payload: Uint8Array;
}

/** Why sequences were given up. */
export const gapCauses = [
  'buffer-full', // over the limit of bytes or free disk
  'expired', // older than the stream's maxAge
  'corrupt', // didn't read back from the buffer
  'power-cut', // acknowledged by the high-water mark, missing after a restart
  'source-dropped', // the kernel or the device said that it dropped records
] as const;
export type GapCause = (typeof gapCauses)[number];

/** Payload of a gap record. */
export interface GapDetails {
  cause: GapCause;
  /** For people: what happened. */
  detail: string;
}

/** One record of an `events` stream. */
export interface EventRecord {
  timeUs: number;
  /** Dotted, from general to special: `source.started`, `clock.step`. */
  type: string;
  attributes: Record<string, string | number | boolean | null>;
}

/** Limits that both ends keep; a decoder refuses what exceeds them before it allocates. */
export const limits = {
  /** One batch as sent, bytes. */
  batchBytesMax: 4 * 1024 * 1024,
  /** One payload decompressed, bytes. */
  rawBytesMax: 16 * 1024 * 1024,
  recordsMax: 1 << 20,
  /** One text line, bytes. */
  lineBytesMax: 1024 * 1024,
  /** Channels of a `samples` stream. */
  channelsMax: 4096,
  eventsMax: 4096,
  /** CBOR items of one batch of events: decoded ones take a hundred times the memory of their bytes. */
  eventItemsMax: 1 << 17,
  /** Attributes of one event. */
  eventAttributesMax: 64,
  gapDetailCharsMax: 1024,
} as const;

const gatewayPattern = /^[a-z0-9][a-z0-9-]{0,62}$/;
const streamPattern = /^[a-z0-9][a-z0-9_-]{0,62}$/;
const identityPattern = /^[0-9a-f]{16}$/;

export const isGatewayId = (text: unknown): text is string =>
  typeof text === 'string' && gatewayPattern.test(text);
export const isStreamName = (text: unknown): text is string =>
  typeof text === 'string' && streamPattern.test(text);
/** An epoch or a boot. */
export const isLifeId = (text: unknown): text is string =>
  typeof text === 'string' && identityPattern.test(text);
