import { createHash } from 'node:crypto';
import type { LoadedDatabase } from '../catalogue/types.js';
import type { Message, Signal } from '../dbc/model.js';
import { pids, type PidValue } from './pids.js';

const none: ReadonlyMap<string, never> = new Map<string, never>();

/** Name of the database that comes with the product. */
export const obdName = 'obd2';

/** Service byte, then parameter, then data. */
const dataBit = 16;

function signalOf(value: PidValue, pid: number): Signal {
  const { name, startBit, length, raw, factor, offset, unit, comment, labels } = value;
  return {
    name,
    startBit: dataBit + startBit,
    length,
    isBigEndian: true,
    raw,
    factor,
    offset,
    minimum: NaN,
    maximum: NaN,
    unit,
    receivers: [],
    comment,
    isMultiplexor: false,
    multiplexing: { multiplexor: 'PID', ranges: [[pid, pid]] },
    labels,
    attributes: none,
  };
}

function messageOf(id: number, name: string): Message {
  const selector: Signal = {
    ...signalOf(
      {
        name: 'PID',
        startBit: 7,
        length: 8,
        raw: 'unsigned',
        factor: 1,
        offset: 0,
        unit: '',
        comment: 'Parameter',
      },
      0,
    ),
    startBit: 15,
    isMultiplexor: true,
    multiplexing: undefined,
  };
  return {
    name,
    id,
    isExtended: false,
    format: 'obd',
    length: 8,
    sender: '',
    signals: [selector, ...pids.flatMap(({ pid, values }) => values.map((value) => signalOf(value, pid)))],
    comment: 'Answers of a control unit to OBD-II service 01 and UDS service 22 (identifiers F4xx)',
    cycleTimeMs: undefined,
    attributes: none,
  };
}

/**
 * The standard parameters of OBD-II as a database: message `OBD2` for the engine (0x7E8), `OBD2_7E9` to `OBD2_7EF` for
 * other control units.
 */
export function obdDatabase(): LoadedDatabase {
  const ids = Array.from({ length: 8 }, (_, i) => 0x7e8 + i);
  const messages = ids.map((id, i) =>
    messageOf(id, i === 0 ? 'OBD2' : `OBD2_${id.toString(16).toUpperCase()}`),
  );
  const text = JSON.stringify(pids, (_, value: unknown) => (value instanceof Map ? [...value] : value));
  return {
    name: obdName,
    version: {
      hash: createHash('sha256').update(text).digest('hex'),
      bytes: text.length,
      addedUs: 0,
      file: 'built in',
      messages: messages.length,
      signals: messages.reduce((sum, { signals }) => sum + signals.length, 0),
      errors: 0,
      warnings: 0,
    },
    database: { version: '', nodes: [], messages, attributes: none },
    problems: [],
  };
}
