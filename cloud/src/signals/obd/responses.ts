import type { Message } from '../dbc/model.js';
import { dataBytesOf } from './pids.js';

const CURRENT_DATA = 0x41;
const DATA_BY_IDENTIFIER = 0x62;
/** Identifiers 0xF4xx stand for the parameters of service 01 (ISO 27145-2, SAE J1979-2). */
const PID_IDENTIFIERS = 0xf4;
const first = 0x7e8;

type Identifier = Pick<Message, 'id' | 'isExtended' | 'format'>;

/**
 * The identifiers under which a control unit answers (ISO 15765-4): 0x7E8 to 0x7EF; engine and transmission also with
 * 29 bits.
 */
export function obdIdentifiers({ id }: Message): Identifier[] {
  const own: Identifier[] = [{ id, isExtended: false, format: 'standard' }];
  const address = [0x10, 0x18][id - first];
  if (address !== undefined) own.push({ id: 0x18da_f100 + address, isExtended: true, format: 'extended' });
  return own;
}

/**
 * Cuts an answer into its parameters, each as service 01 would give it alone: 0x41, the parameter, its data. Ends at the
 * first parameter whose length nobody knows; refusals and other services give nothing.
 */
export function splitObd(payload: Uint8Array, take: (part: Uint8Array) => void): void {
  const isUds = payload[0] === DATA_BY_IDENTIFIER;
  if (!isUds && payload[0] !== CURRENT_DATA) return;
  const head = isUds ? 2 : 1;
  for (let at = 1; at + head < payload.length;) {
    if (isUds && payload[at] !== PID_IDENTIFIERS) return;
    const pid = payload[at + head - 1];
    const bytes = dataBytesOf(pid);
    at += head;
    if (bytes === undefined || at + bytes > payload.length) return;
    take(Uint8Array.of(CURRENT_DATA, pid, ...payload.subarray(at, at + bytes)));
    at += bytes;
  }
}
