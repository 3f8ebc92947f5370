import { scaled, type ChannelSpec, type EventRecord, type Samples } from '@fleetlog/shared/batch';

/** A JSON object with a field per channel; 64-bit integers as numbers; what isn't finite as null. */
export function samplesJson({ channels, columns }: Samples, index: number): string {
  let text = '';
  for (const [k, channel] of channels.entries()) {
    text += `${k === 0 ? '{' : ','}${JSON.stringify(channel.name)}:${valueText(channel, columns[k][index])}`;
  }
  return text === '' ? '{}' : `${text}}`;
}

/** Scaled ones without the dust of binary fractions: 33.8, not 33.800000000000004. */
function valueText(channel: ChannelSpec, value: number | bigint): string {
  const isScaled = channel.scale !== undefined || channel.offset !== undefined;
  if (isScaled) return JSON.stringify(Number(scaled(channel, Number(value)).toPrecision(12)));
  return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
}

export const eventJson = ({ type, attributes }: EventRecord): string => JSON.stringify({ type, attributes });

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Undefined where it isn't UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

export function withoutLineEnd(line: Uint8Array): Uint8Array {
  let end = line.length;
  if (line[end - 1] === 0x0a) end--;
  if (line[end - 1] === 0x0d) end--;
  return line.subarray(0, end);
}
