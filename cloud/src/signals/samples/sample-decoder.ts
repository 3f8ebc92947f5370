import { scaled, type Samples } from '@fleetlog/shared/batch';
import type { Series } from '../decode/decoder.js';

/** Decodes columns of channels out of samples: values as people read them, with scale and offset. */
export class SampleDecoder {
  /** By column, the channel's name; undefined leaves it empty. */
  constructor(private readonly channels: readonly (string | undefined)[]) {}

  /** What the samples `[from, to)` say. */
  *decode(samples: Samples, from: number, to: number): Generator<Series[]> {
    const count = to - from;
    const times = new Float64Array(count);
    for (let i = 0; i < count; i++) times[i] = samples.timeUs(from + i);
    yield this.channels.map((name) => {
      const channel = samples.channels.findIndex((one) => one.name === name);
      if (channel < 0)
        return { count: 0, times: times.subarray(0, 0), values: new Float64Array(0), tooShort: 0 };
      const spec = samples.channels[channel];
      const column = samples.columns[channel];
      const values = new Float64Array(count);
      for (let i = 0; i < count; i++) values[i] = scaled(spec, Number(column[from + i]));
      return { count, times, values, tooShort: 0 };
    });
  }
}
