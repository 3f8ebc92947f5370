/** One figure of a benchmark. */
export interface BenchRow {
  name: string;
  value: number;
  unit: string;
  /** What it was measured on. */
  on: string;
}
