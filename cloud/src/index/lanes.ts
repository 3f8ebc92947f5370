import type { BatchFacts } from './types.js';

/** Batches of one segment, by first time. */
export interface Lane {
  /** None of its batches begins before this. */
  startUs: number;
  facts: AsyncGenerator<BatchFacts>;
}

interface OpenLane {
  head: BatchFacts;
  facts: AsyncGenerator<BatchFacts>;
}

/**
 * The batches of all lanes by first time, of equal times in the order in which they were captured. A lane is opened
 * when its turn may have come, so that of the many boots of a year few are read at a time.
 */
export async function* mergeLanes(lanes: Lane[]): AsyncGenerator<BatchFacts> {
  const waiting = [...lanes].sort((a, b) => a.startUs - b.startUs);
  const open: OpenLane[] = [];
  for (;;) {
    let least = leastOf(open);
    while (waiting.length > 0 && (!least || waiting[0].startUs <= least.head.firstTimeUs)) {
      const { facts } = waiting.shift()!;
      const { done, value } = await facts.next();
      if (!done) open.push({ head: value, facts });
      least = leastOf(open);
    }
    if (!least) return;
    yield least.head;
    const { done, value } = await least.facts.next();
    if (done) open.splice(open.indexOf(least), 1);
    else least.head = value;
  }
}

function leastOf(open: readonly OpenLane[]): OpenLane | undefined {
  let least: OpenLane | undefined;
  for (const lane of open) if (!least || isBefore(lane.head, least.head)) least = lane;
  return least;
}

const isBefore = (a: BatchFacts, b: BatchFacts): boolean =>
  (a.firstTimeUs - b.firstTimeUs || a.epochOrder - b.epochOrder || a.sequence - b.sequence) < 0;
