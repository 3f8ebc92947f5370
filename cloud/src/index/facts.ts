import { clockStates, origins, streamKinds, type BatchHeader, type CodecName } from '@fleetlog/shared/batch';
import { readInteger, readTime } from '@fleetlog/shared/store';
import type { LogEntry } from '../log/log.js';
import type { BatchFacts } from './types.js';

/*
 * value = lastTime[f64] receiveTime[f64] offset[f64] wallOffset[f64] uncertainty[f64] epoch[8] boot[8]
 *         partition[u32] records[u32] bytes[u32] rawBytes[u32] kind[u8] codec[u8] origin[u8] clockState[u8]
 *
 * Fixed places, since ten million of them are written and walked.
 */
const valueBytes = 76;
const codecs: readonly CodecName[] = ['can-1', 'lines-1', 'samples-1', 'events-1', 'gap-1'];

export function encodeFacts(header: BatchHeader, entry: LogEntry): Uint8Array {
  const value = Buffer.allocUnsafe(valueBytes);
  value.writeDoubleBE(header.lastTimeUs, 0);
  value.writeDoubleBE(entry.receiveTimeUs, 8);
  value.writeDoubleBE(entry.offset, 16);
  value.writeDoubleBE(header.clock.wallOffsetUs, 24);
  value.writeDoubleBE(header.clock.uncertaintyUs, 32);
  value.write(header.epoch, 40, 'hex');
  value.write(header.boot, 48, 'hex');
  value.writeUInt32BE(entry.partition, 56);
  value.writeUInt32BE(header.recordCount, 60);
  value.writeUInt32BE(entry.bytes.length, 64);
  value.writeUInt32BE(header.rawBytes, 68);
  value[72] = streamKinds.indexOf(header.kind);
  value[73] = codecs.indexOf(header.codec);
  value[74] = origins.indexOf(header.origin);
  value[75] = clockStates.indexOf(header.clock.state);
  return value;
}

/** `key` is a `batchKey`: its last 20 bytes are first time, rank of the epoch, sequence. */
export function decodeFacts(key: Uint8Array, bytes: Uint8Array): BatchFacts {
  const at = key.length - 20;
  const value = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    firstTimeUs: readTime(key, at),
    lastTimeUs: value.readDoubleBE(0),
    epoch: value.toString('hex', 40, 48),
    epochOrder: new DataView(key.buffer, key.byteOffset + at + 8, 4).getUint32(0),
    sequence: readInteger(key, at + 12),
    partition: value.readUInt32BE(56),
    offset: value.readDoubleBE(16),
    receiveTimeUs: value.readDoubleBE(8),
    boot: value.toString('hex', 48, 56),
    clock: {
      wallOffsetUs: value.readDoubleBE(24),
      state: clockStates[value[75]],
      uncertaintyUs: value.readDoubleBE(32),
    },
    origin: origins[value[74]],
    kind: streamKinds[value[72]],
    codec: codecs[value[73]],
    records: value.readUInt32BE(60),
    bytes: value.readUInt32BE(64),
    rawBytes: value.readUInt32BE(68),
  };
}
