import type { BatchCursor } from './batch-cursor.js';
import type { CursorHeap } from './cursor-heap.js';
import type { RecordPool } from './records.js';

/**
 * Keeps the batches that overlap within a limit of bytes. Over it, the batch whose next record is furthest away gives
 * up what it holds and is read again when its turn comes: slow, but right, whatever overlaps.
 */
export class MergeMemory {
  /** Most that was held at a time. */
  bytesPeak = 0;
  batchesPeak = 0;
  private bytes = 0;
  private batches = 0;

  constructor(private readonly bytesLimit: number) {}

  /** The cursor holds something that it didn't hold before. */
  hold(cursor: BatchCursor): void {
    this.bytes += cursor.heldBytes;
    this.batches++;
    this.bytesPeak = Math.max(this.bytesPeak, this.bytes);
    this.batchesPeak = Math.max(this.batchesPeak, this.batches);
  }

  /** Takes back what the cursor holds. */
  drop(cursor: BatchCursor, pool: RecordPool): void {
    if (cursor.heldBytes === 0) return;
    this.bytes -= cursor.heldBytes;
    this.batches--;
    const records = cursor.detach();
    if (records) pool.release(records);
  }

  /** Makes room for the heap's top, which is what is needed now. */
  trim(heap: CursorHeap, pool: RecordPool): void {
    while (this.bytes > this.bytesLimit) {
      let furthest: BatchCursor | undefined;
      for (const cursor of heap) {
        if (cursor === heap.top || cursor.heldBytes === 0) continue;
        if (!furthest || cursor.timeUs > furthest.timeUs) furthest = cursor;
      }
      if (!furthest) return;
      this.drop(furthest, pool);
    }
  }
}
