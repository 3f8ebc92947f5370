import { decodeBatch } from '@fleetlog/shared/batch';
import { CanFrames, decodeCan } from '@fleetlog/shared/can';
import type { Index } from '../index/index.js';
import type { Log } from '../log/log.js';
import type { Validity } from './catalogue/index.js';
import type { Database } from './dbc/model.js';
import { Matcher } from './decode/match.js';
import { Transport } from './transport/transport.js';

/** Moments at which the traffic is looked at. */
const looks = 16;

export interface Fit {
  /** Different identifiers that were seen. */
  identifiers: number;
  /** Those that the database describes. */
  known: number;
}

/** Looks at samples of recorded traffic. */
export class Traffic {
  private readonly frames = new CanFrames();

  constructor(
    private readonly index: Pick<Index, 'batches' | 'stream' | 'times'>,
    private readonly log: Log,
  ) {}

  /** How well a database fits a stream; undefined where there are no frames in the validity. */
  async fit(
    gateway: string,
    stream: string,
    database: Database,
    validity: Validity,
  ): Promise<Fit | undefined> {
    const ids = await this.identifiers(gateway, stream, validity);
    if (ids.size === 0) return undefined;
    const matcher = new Matcher(database.messages);
    const transport = new Transport(database.messages);
    let known = 0;
    for (const id of ids) if (matcher.find(id) >= 0 || transport.carries(id)) known++;
    return { identifiers: ids.size, known };
  }

  /** `canid_t`s of a sample, evenly over the time that there is. */
  private async identifiers(gateway: string, stream: string, validity: Validity): Promise<Set<number>> {
    const ids = new Set<number>();
    const summary = await this.index.stream(gateway, stream);
    const times = await this.index.times(gateway, stream, 'corrected');
    if (summary?.kind !== 'can' || !times) return ids;
    const first = Math.max(times.firstTimeUs, validity.fromUs ?? -Infinity);
    const end = Math.min(times.lastTimeUs + 1, validity.toUs ?? Infinity);
    const step = Math.max(1, (end - first) / looks);
    let last = -1;
    for (let look = 0; look < looks; look++) {
      const fromUs = Math.floor(first + look * step);
      if (fromUs >= end) break;
      for await (const { partition, offset, kind } of this.index.batches({
        gateway,
        stream,
        fromUs,
        toUs: end,
        times: 'corrected',
      })) {
        if (offset === last || kind !== 'can') break;
        last = offset;
        const [entry] = await this.log.get(partition, [offset]);
        if (!entry) break; // trimmed
        const { id, count } = decodeCan(decodeBatch(entry.bytes), this.frames);
        for (let i = 0; i < count; i++) ids.add(id[i]);
        break;
      }
    }
    return ids;
  }
}
