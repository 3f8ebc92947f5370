import type { OrderedStore } from '@fleetlog/shared/store';
import type { BootRecord } from './boot-record.js';
import { decodeJson } from './json-value.js';
import { bootKey } from './keys.js';

/** `changed` where more than the length of a boot did. */
export type OnBootTouched = (gateway: string, changed: boolean) => void;

/** Records of boots that batches came of lately, one for each gateway. */
const recordsMax = 32_768;

/** What the indexer remembers of boots that it writes to. Memory is bounded. */
export class BootRecords {
  private readonly records = new Map<string, BootRecord>();

  constructor(
    private readonly store: OrderedStore,
    private readonly onTouched: OnBootTouched,
  ) {}

  /** A record of its own that the caller may change. */
  async record(gateway: string, boot: string): Promise<BootRecord | undefined> {
    const known = this.records.get(gateway);
    if (known?.boot === boot) return { ...known };
    const stored = await this.store.get(bootKey(gateway, boot));
    return stored && decodeJson<BootRecord>(stored);
  }

  /** After a write: `record` as it was written, if it was. */
  touched(gateway: string, changed: boolean, record?: BootRecord): void {
    if (this.records.size >= recordsMax) this.records.clear();
    if (record) this.records.set(gateway, record);
    else this.records.delete(gateway);
    this.onTouched(gateway, changed);
  }
}
