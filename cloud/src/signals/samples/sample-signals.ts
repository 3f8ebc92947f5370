import type { ChannelSpec } from '@fleetlog/shared/batch';
import type { SampleSignal } from '../stream-signal.js';

/** The channels of a stream of samples. */
export const sampleSignals = (
  gateway: string,
  stream: string,
  channels: readonly ChannelSpec[],
): SampleSignal[] =>
  channels.map(({ name, unit }) => ({
    kind: 'samples',
    gateway,
    stream,
    name,
    unit,
    comment: '',
    cycleTimeMs: undefined,
    labels: undefined,
    database: 'channels',
    version: '1',
    fromUs: undefined,
    toUs: undefined,
  }));
