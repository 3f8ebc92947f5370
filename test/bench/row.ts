/** One figure of a benchmark. */
export interface BenchRow {
  name: string;
  value: number;
  unit: string;
  /** What it was measured on. */
  on: string;
}

/** FLEETLOG_BENCH=long: backlogs and buffers of 10 GB, what is live for longer, and all of a day of a full bus. */
export const isLong = process.env['FLEETLOG_BENCH'] === 'long';
