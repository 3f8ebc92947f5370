import { CanFrames, decodeCan } from '@fleetlog/shared/can';
import type { Log } from '../log/log.js';
import type { Validity } from './catalogue/index.js';
import type { Database } from './dbc/model.js';
import { Matcher } from './decode/match.js';
import { sampledBatches, type SampleParts } from './sampled-batches.js';
import { Transport } from './transport/transport.js';

export interface Fit {
  /** Different identifiers that were seen. */
  identifiers: number;
  /** Those that the database describes. */
  known: number;
}

/** Looks at samples of recorded traffic. */
export class Traffic implements SampleParts {
  private readonly frames = new CanFrames();

  constructor(
    readonly index: SampleParts['index'],
    readonly log: Log,
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
    for await (const { batch } of sampledBatches(this, { gateway, stream, kind: 'can' }, validity)) {
      const { id, count } = decodeCan(batch, this.frames);
      for (let i = 0; i < count; i++) ids.add(id[i]);
    }
    return ids;
  }
}
