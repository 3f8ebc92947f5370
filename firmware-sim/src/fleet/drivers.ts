import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { FleetlogError } from '@fleetlog/shared/errors';
import type { DriveAnswer, DriveTask } from './drive-worker.js';
import type { PreparedGateway } from './gateways.js';

/** A thread takes a third of a second to start: fewer vehicles than these aren't worth another one. */
const VEHICLES_PER_THREAD_MIN = 2;

/** Lets vehicles drive on all processors; what they say doesn't depend on it. In the order of the tasks. */
export async function driveAll(tasks: readonly DriveTask[], signal: AbortSignal): Promise<PreparedGateway[]> {
  const prepared: PreparedGateway[] = [];
  let next = 0;
  const thread = async (): Promise<void> => {
    const worker = new Worker(new URL('./drive-worker.js', import.meta.url));
    const end = ended(worker);
    end.catch(() => undefined); // it always ends; too early where somebody waits for an answer
    try {
      while (next < tasks.length) {
        signal.throwIfAborted();
        const at = next++;
        worker.postMessage(tasks[at]);
        const [answer] = (await Promise.race([once(worker, 'message', { signal }), end])) as [DriveAnswer];
        if ('failure' in answer) throw answer.failure;
        prepared[at] = answer.prepared;
      }
    } finally {
      await worker.terminate();
    }
  };
  const threads = Math.max(
    1,
    Math.min(availableParallelism(), Math.floor(tasks.length / VEHICLES_PER_THREAD_MIN)),
  );
  await Promise.all(Array.from({ length: threads }, thread));
  return prepared;
}

async function ended(worker: Worker): Promise<never> {
  await once(worker, 'exit');
  throw new FleetlogError('FLEETLOG_INTERRUPTED', 'A thread that lets vehicles drive ended before its time.');
}
