import { CAN_EFF_FLAG, CanFrames } from '@fleetlog/shared/can';
import type { Message, Signal } from '#cloud/signals/dbc/model.js';

/*
 * Signals bit by bit with BigInt: slow, plain, and nothing in common with the generated code. A place counts bits from
 * the lowest of byte 0.
 */

/** Places of a signal's bits, the lowest bit of the value first. */
function placesOf({ startBit, length, isBigEndian }: Signal): number[] {
  const places = [startBit];
  while (places.length < length) {
    const at = places[places.length - 1];
    if (!isBigEndian) places.push(at + 1);
    else places.push(at % 8 === 0 ? at + 15 : at - 1);
  }
  return isBigEndian ? places.reverse() : places;
}

/** The bits as an unsigned number; undefined where the data are too short. */
function bitsOf(signal: Signal, data: Uint8Array): bigint | undefined {
  let bits = 0n;
  for (const [i, place] of placesOf(signal).entries()) {
    if (place >= 8 * data.length) return undefined;
    bits |= BigInt((data[Math.floor(place / 8)] >> (place % 8)) & 1) << BigInt(i);
  }
  return bits;
}

export function setBits(signal: Signal, data: Uint8Array, bits: bigint): void {
  for (const [i, place] of placesOf(signal).entries()) {
    const bit = Number((bits >> BigInt(i)) & 1n) << (place % 8);
    const byte = Math.floor(place / 8);
    data[byte] = (data[byte] & ~(1 << (place % 8))) | bit;
  }
}

function isThere(signal: Signal, message: Message, data: Uint8Array): boolean {
  const { multiplexing } = signal;
  if (!multiplexing) return true;
  const multiplexor = message.signals.find(({ name }) => name === multiplexing.multiplexor)!;
  if (!isThere(multiplexor, message, data)) return false;
  const bits = bitsOf(multiplexor, data);
  return bits !== undefined && multiplexing.ranges.some(([from, to]) => bits >= from && bits <= to);
}

/** The value of a signal in the data of a frame; undefined where it isn't there. */
export function referenceValue(signal: Signal, message: Message, data: Uint8Array): number | undefined {
  const bits = bitsOf(signal, data);
  if (bits === undefined || !isThere(signal, message, data)) return undefined;
  const view = new DataView(new ArrayBuffer(8));
  let raw: number;
  if (signal.raw === 'float') {
    view.setUint32(0, Number(bits));
    raw = view.getFloat32(0);
  } else if (signal.raw === 'double') {
    view.setBigUint64(0, bits);
    raw = view.getFloat64(0);
  } else {
    raw = Number(signal.raw === 'signed' ? BigInt.asIntN(signal.length, bits) : bits);
  }
  return raw * signal.factor + signal.offset;
}

/** Frames of one message, 1 ms apart from time 0. */
export function framesOf(
  message: Pick<Message, 'id' | 'isExtended'>,
  datas: readonly Uint8Array[],
): CanFrames {
  const frames = new CanFrames();
  const bus = frames.busIndex('can0');
  const id = message.isExtended ? (message.id | CAN_EFF_FLAG) >>> 0 : message.id;
  for (const [i, data] of datas.entries()) frames.append(1000 * i, id, 0, 8, bus, data, 0, data.length);
  return frames;
}
