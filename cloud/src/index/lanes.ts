import type { BatchFacts } from './types.js';

/** Batches of one segment, by first time. */
export interface Lane {
  /** None of its batches begins before this. */
  startUs: number;
  /** In pages, none of them empty: a day has 86,400 batches, and waiting for each one costs more than reading it. */
  pages: AsyncGenerator<BatchFacts[]>;
}

interface OpenLane {
  head: BatchFacts;
  page: BatchFacts[];
  at: number;
  pages: AsyncGenerator<BatchFacts[]>;
}

/**
 * The batches of all lanes by first time, of equal times in the order in which they were captured. A lane is opened
 * when its turn may have come, so that of the many boots of a year few are read at a time.
 */
export async function* mergeLanes(lanes: Promise<Lane[]>): AsyncGenerator<BatchFacts> {
  const waiting = [...(await lanes)].sort((a, b) => a.startUs - b.startUs);
  const open: OpenLane[] = [];
  for (;;) {
    let least = leastOf(open);
    while (waiting.length > 0 && (!least || waiting[0].startUs <= least.head.firstTimeUs)) {
      const { pages } = waiting.shift()!;
      const { done, value } = await pages.next();
      if (!done) open.push({ head: value[0], page: value, at: 0, pages });
      least = leastOf(open);
    }
    if (!least) return;
    yield least.head;
    if (++least.at === least.page.length) {
      const { done, value } = await least.pages.next();
      if (done) {
        open.splice(open.indexOf(least), 1);
        continue;
      }
      least.page = value;
      least.at = 0;
    }
    least.head = least.page[least.at];
  }
}

function leastOf(open: readonly OpenLane[]): OpenLane | undefined {
  let least: OpenLane | undefined;
  for (const lane of open) if (!least || isBefore(lane.head, least.head)) least = lane;
  return least;
}

const isBefore = (a: BatchFacts, b: BatchFacts): boolean =>
  (a.firstTimeUs - b.firstTimeUs || a.epochOrder - b.epochOrder || a.sequence - b.sequence) < 0;
