import { parentPort, workerData } from 'node:worker_threads';
import { isFleetlogError } from '@fleetlog/shared/errors';
import { systemClock } from '@fleetlog/shared/util';
import { CanStatistics } from '../../bus/can-statistics.js';
import type { CanSocketOptions } from './can-socket.js';
import { CanSocket } from './can-socket.js';
import { Capture, type CaptureNews, type CaptureOptions } from './capture.js';
import { KernelStamps } from './kernel-stamps.js';
import { loadLibc } from './libc.js';
import { BATCHES_WAITING_MAX, STOP, WAITING } from './shared-words.js';

/*
 * The thread of a SocketCAN source: it blocks in the kernel, and never returns to its event loop. Frames are given time
 * to gather, because a wake-up costs more than fifty of them.
 */
const GATHER_MS = 10;
/** So many at once say that more are waiting. */
const BUSY_FRAMES = 128;

export interface CaptureWorkerData extends CanSocketOptions, CaptureOptions {
  words: SharedArrayBuffer;
  /** Where the frames are counted. */
  statistics?: SharedArrayBuffer | undefined;
}

export type WorkerNews =
  | CaptureNews
  | { type: 'opened'; receiveBufferBytes: number }
  | { type: 'ended'; error?: { code: string; message: string } };

const data = workerData as CaptureWorkerData;
const words = new Int32Array(data.words);
const tell = (news: WorkerNews): void => {
  if (news.type === 'batch' || news.type === 'gap') {
    Atomics.add(words, WAITING, 1);
    parentPort!.postMessage(news, [news.payload.payload.buffer as ArrayBuffer]);
  } else {
    parentPort!.postMessage(news);
  }
};

function run(): void {
  const socket = CanSocket.open(loadLibc(), data);
  try {
    tell({ type: 'opened', receiveBufferBytes: socket.receiveBufferBytes });
    const statistics = data.statistics && new CanStatistics([data.interfaceName], data.statistics);
    const capture = new Capture(socket, data, new KernelStamps(systemClock), tell, (frames) =>
      statistics?.add(frames, systemClock.monotonicUs()),
    );
    try {
      while (Atomics.load(words, STOP) === 0) {
        const count = socket.receive(data.interfaceName);
        const nowMs = performance.now();
        capture.take(count, nowMs);
        capture.sealDue(nowMs);
        if (count > 0 && count < BUSY_FRAMES) Atomics.wait(words, STOP, 0, GATHER_MS);
        // Nobody takes the batches: frames wait in the kernel then, which counts what it has no room for.
        for (
          let waiting = Atomics.load(words, WAITING);
          waiting > BATCHES_WAITING_MAX;
          waiting = Atomics.load(words, WAITING)
        ) {
          if (Atomics.load(words, STOP) !== 0) break;
          Atomics.wait(words, WAITING, waiting, GATHER_MS);
        }
      }
    } finally {
      capture.seal();
    }
  } finally {
    socket.close();
  }
}

try {
  run();
  tell({ type: 'ended' });
} catch (error) {
  const code = isFleetlogError(error) ? error.code : 'FLEETLOG_DEFECT';
  tell({ type: 'ended', error: { code, message: (error as Error).message } });
}
