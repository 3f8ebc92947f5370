import { expectCodec, malformedPayload } from './payload.js';
import { decodePlain, encodePlain } from './plain-cbor.js';
import {
  gapCauses,
  limits,
  type Batch,
  type EncodedPayload,
  type GapDetails,
  type StreamKind,
} from './types.js';

/*
 * gap-1 = { 0: cause, 1: detail }      ; both text; not compressed
 */
const key = { cause: 0, detail: 1 } as const;

/** What a gap record stands for; goes into the header. */
export interface GapFacts {
  kind: StreamKind;
  /** Records given up; -1 where nobody knows. */
  recordCount: number;
  /** Event times between which records are missing. */
  firstTimeUs: number;
  lastTimeUs: number;
}

/** Makes the payload of a gap record; a detail over `limits.gapDetailCharsMax` is cut. */
export function encodeGap(details: GapDetails, facts: GapFacts): EncodedPayload {
  const payload = encodePlain(
    new Map([
      [key.cause, details.cause],
      [key.detail, shortened(details.detail)],
    ]),
  );
  const { kind, recordCount, firstTimeUs, lastTimeUs } = facts;
  return {
    kind,
    codec: 'gap-1',
    payload,
    rawBytes: payload.length,
    recordCount,
    firstTimeUs,
    lastTimeUs,
  };
}

/** Cut at the limit, never within a character. */
const shortened = (text: string): string =>
  text
    .slice(0, limits.gapDetailCharsMax)
    .replace(/[\ud800-\udbff]$/, '')
    .toWellFormed();

/** Reads why sequences were given up. Errors: FLEETLOG_BATCH_CODEC, FLEETLOG_BATCH_MALFORMED. */
export function decodeGap(batch: Batch): GapDetails {
  expectCodec(batch, 'gap-1');
  if (batch.payload.length !== batch.header.rawBytes) throw malformedPayload('its length is wrong');
  const fields = decodePlain(batch.payload, { depthMax: 1, itemsMax: 32 });
  if (!(fields instanceof Map)) throw malformedPayload("it isn't a map");
  const cause = gapCauses.find((name) => name === fields.get(key.cause));
  if (cause === undefined) throw malformedPayload('the cause of the gap is unknown');
  const detail: unknown = fields.get(key.detail);
  if (typeof detail !== 'string' || detail.length > limits.gapDetailCharsMax) {
    throw malformedPayload('the detail is no short text');
  }
  return { cause, detail };
}
