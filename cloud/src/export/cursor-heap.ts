import { isBefore, type BatchCursor, type Place } from './batch-cursor.js';

/** The batches that overlap at the moment of the merge, least place first (a binary heap). */
export class CursorHeap {
  private readonly cursors: BatchCursor[] = [];

  get size(): number {
    return this.cursors.length;
  }

  get top(): BatchCursor | undefined {
    return this.cursors[0];
  }

  /** The place that comes next behind the top's. */
  get second(): Place | undefined {
    const left = this.cursors[1];
    const right = this.cursors[2];
    return right && isBefore(right, left) ? right : left;
  }

  push(cursor: BatchCursor): void {
    const { cursors } = this;
    let at = cursors.push(cursor) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(cursor, cursors[parent])) break;
      cursors[at] = cursors[parent];
      at = parent;
    }
    cursors[at] = cursor;
  }

  pop(): void {
    const last = this.cursors.pop()!;
    if (this.cursors.length === 0) return;
    this.cursors[0] = last;
    this.settleTop();
  }

  /** Restores the order after the top's place moved on. */
  settleTop(): void {
    const { cursors } = this;
    const top = cursors[0];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= cursors.length) break;
      if (child + 1 < cursors.length && isBefore(cursors[child + 1], cursors[child])) child++;
      if (!isBefore(cursors[child], top)) break;
      cursors[at] = cursors[child];
      at = child;
    }
    cursors[at] = top;
  }

  [Symbol.iterator](): Iterator<BatchCursor> {
    return this.cursors[Symbol.iterator]();
  }
}
