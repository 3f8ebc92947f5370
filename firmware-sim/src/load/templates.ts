import type { BatchHeader, EncodedPayload } from '@fleetlog/shared/batch';
import { CandumpParser, CanFrames, encodeCan, lineResult } from '@fleetlog/shared/can';
import { candumpText } from '../vehicle/can-bus.js';

const TEMPLATES = 8;
const START_US = 1_767_254_400_000_000;
/** About what the vehicle says. */
const FRAMES_PER_S = 2000;

/**
 * Batches of a vehicle's frames, encoded once: from batch to batch only the header changes, so that the cloud does all
 * of its work and the generator little. Times are spread over the interval.
 */
export function createTemplates(framesPerBatch: number, intervalMs: number): EncodedPayload[] {
  const durationUs = ((framesPerBatch * TEMPLATES) / FRAMES_PER_S + 2) * 1e6;
  const text = Buffer.concat([...candumpText({ seed: 1, startUs: START_US, durationUs })]);
  const parser = new CandumpParser();
  const templates: EncodedPayload[] = [];
  const frames = new CanFrames();
  for (let at = 0; at < text.length && templates.length < TEMPLATES;) {
    if (parser.parseLine(text, at, frames) !== lineResult.ok) break;
    at = parser.lineEnd;
    if (frames.count < framesPerBatch) continue;
    const factor = (intervalMs * 1000) / (frames.timeOffsetUs[frames.count - 1] + 1000);
    for (let i = 0; i < frames.count; i++)
      frames.timeOffsetUs[i] = Math.floor(frames.timeOffsetUs[i] * factor);
    templates.push(encodeCan(frames));
    frames.clear();
  }
  return templates;
}

/** A header for one gateway; its sequence and times change with each batch. */
export function headerOf(gateway: string, epoch: string, template: EncodedPayload): BatchHeader {
  const { kind, codec, rawBytes, recordCount } = template;
  return {
    gateway,
    epoch,
    boot: epoch,
    stream: 'can0',
    kind,
    sequence: 0,
    lastSequence: 0,
    firstTimeUs: 0,
    lastTimeUs: 0,
    recordCount,
    storeTimeUs: 0,
    clock: { wallOffsetUs: 0, state: 'coarse', uncertaintyUs: -1 },
    origin: 'simulated',
    codec,
    rawBytes,
  };
}
