import { Type, type Static } from '@fleetlog/shared/schema';
import { Bytes, byteCount, Duration, durationMs } from '@fleetlog/shared/config';
import { FleetlogError } from '@fleetlog/shared/errors';

/** At which size a batch is sealed: whichever limit is reached first. */
export interface BatchLimits {
  /** Wall time since the batch's first record. */
  lingerMs: number;
  /** Event time between any record and the batch's first. */
  spanUs: number;
  records: number;
  /** Bytes of data or text, uncompressed; the record that reaches the limit is still in. */
  bytes: number;
}

export const BatchConfig = Type.Object(
  {
    linger: Type.Optional(Duration('Longest wait of a record for its batch to be sealed; 500ms')),
    span: Duration('Event time that a batch covers', '1s'),
    records: Type.Integer({ minimum: 1, maximum: 65_536, default: 8192, description: 'Records in a batch' }),
    bytes: Bytes('Data or text in a batch, uncompressed', '256KiB'),
  },
  { additionalProperties: false, default: {} },
);
export type BatchConfig = Static<typeof BatchConfig>;

/** `key` names the place in the configuration, for errors. Errors: FLEETLOG_CONFIG. */
export function batchLimits(config: BatchConfig, key: string): BatchLimits {
  return {
    lingerMs: within(durationMs(config.linger ?? '500ms'), 1, 3_600_000, `${key}.linger`, '1ms to 1h'),
    spanUs: within(durationMs(config.span), 1, 1_800_000, `${key}.span`, '1ms to 30min') * 1000,
    records: config.records,
    bytes: within(byteCount(config.bytes), 1, 1_048_576, `${key}.bytes`, '1B to 1MiB'),
  };
}

function within(value: number, least: number, most: number, key: string, range: string): number {
  if (value >= least && value <= most) return value;
  throw new FleetlogError('FLEETLOG_CONFIG', `"${key}" must be in the range ${range}.`);
}
