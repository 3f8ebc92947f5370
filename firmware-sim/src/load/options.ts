/** What a load is. All gateways send one stream of CAN frames, a batch in each interval. */
export interface LoadOptions {
  host: string;
  port: number;
  gateways: number;
  /** Of each gateway. */
  framesPerBatch: number;
  intervalMs: number;
  /** On the mean, between two batches of a gateway, in addition; evenly spread from 0 to twice that. */
  thinkMs: number;
  durationMs: number;
  /** The first gateway connects at the start, the last one after this. */
  rampUpMs: number;
  /** Every so often part of the gateways lose their connection in the same moment; 0: never. */
  stormEveryMs: number;
  stormShare: number;
  /** Batches of each gateway that may be unacknowledged. */
  window: number;
}

/** The part of a load that one process does: gateways from `first` on. */
export interface WorkerOptions extends LoadOptions {
  first: number;
  /** Of this run: 16 hex digits. */
  epoch: string;
  startMs: number;
}

/** Counted since the start. */
export interface LoadCounters {
  connected: number;
  /** Batches that had to be sent by now, that were acknowledged, that the cloud refused for good. */
  due: number;
  acknowledged: number;
  refused: number;
  /** Sent once more, after a connection was lost. */
  resent: number;
  bytes: number;
  /** Connections that were there, and were lost without our doing; attempts that failed. */
  dropped: number;
  failed: number;
  storms: number;
}

export const noCounters = (): LoadCounters => ({
  connected: 0,
  due: 0,
  acknowledged: 0,
  refused: 0,
  resent: 0,
  bytes: 0,
  dropped: 0,
  failed: 0,
  storms: 0,
});
