import { decodeLines, decodeSamples, TextLines, type ChannelSpec } from '@fleetlog/shared/batch';
import type { Index } from '../index/index.js';
import type { Log } from '../log/log.js';
import { lineSignals } from './gps/line-signals.js';
import { LineReader, type ReportName } from './gps/line-reader.js';
import { sampledBatches } from './sampled-batches.js';
import { sampleSignals } from './samples/sample-signals.js';
import type { StreamSignal } from './stream-signal.js';

/** What a stream of lines was found to hold. */
export interface ReceiverFacts {
  /** Kinds of reports, in the order in which they were first seen. */
  types: readonly ReportName[];
  /** Reports in the sample, and those beside them whose checksum is wrong. */
  reports: number;
  wrongChecksums: number;
}

interface Known<Facts> {
  /** Batches that the stream had when it was looked at. */
  batches: number;
  facts: Promise<Facts>;
}

/** Lines of each sampled batch that are looked at. */
const linesMax = 1000;
/** A stream that has grown by so much is looked at again. */
const growth = 1.25;
const streamsMax = 10_000;

/**
 * The signals that streams have by themselves, without a database: what GPS receivers report, and the channels of
 * samples. Which they are is found out by looking at samples of what was recorded.
 */
export class RecordedSignals {
  private readonly receivers = new Map<string, Known<ReceiverFacts>>();
  private readonly channels = new Map<string, Known<readonly ChannelSpec[]>>();

  constructor(
    private readonly index: Pick<Index, 'batches' | 'stream' | 'streams' | 'times'>,
    private readonly log: Log,
  ) {}

  async signals(filter: { gateway: string; stream?: string | undefined }): Promise<StreamSignal[]> {
    const found: StreamSignal[] = [];
    for await (const { gateway, stream, kind } of this.index.streams(filter)) {
      if (kind === 'lines') {
        const { types } = await this.receiver(gateway, stream);
        found.push(...lineSignals(gateway, stream, types));
      } else if (kind === 'samples') {
        found.push(...sampleSignals(gateway, stream, await this.channelsOf(gateway, stream)));
      }
    }
    return found;
  }

  async receiver(gateway: string, stream: string): Promise<ReceiverFacts> {
    return this.known(this.receivers, gateway, stream, () => this.lookAtLines(gateway, stream));
  }

  private async channelsOf(gateway: string, stream: string): Promise<readonly ChannelSpec[]> {
    return this.known(this.channels, gateway, stream, () => this.lookAtSamples(gateway, stream));
  }

  private async known<Facts>(
    cache: Map<string, Known<Facts>>,
    gateway: string,
    stream: string,
    look: () => Promise<Facts>,
  ): Promise<Facts> {
    const key = `${gateway}/${stream}`;
    const batches = (await this.index.stream(gateway, stream))?.batches ?? 0;
    const before = cache.get(key);
    if (before && batches <= growth * before.batches) return before.facts;
    const facts = look();
    if (cache.size >= streamsMax) cache.clear();
    cache.set(key, { batches, facts });
    // A failure isn't kept.
    facts.catch(() => cache.delete(key));
    return facts;
  }

  private async lookAtLines(gateway: string, stream: string): Promise<ReceiverFacts> {
    const reader = new LineReader();
    const lines = new TextLines(0);
    const types = new Map<string, ReportName>();
    let reports = 0;
    let wrongChecksums = 0;
    for await (const { batch } of sampledBatches(this.parts, { gateway, stream, kind: 'lines' })) {
      const { lineStart, bytes, count } = decodeLines(batch, lines);
      for (let i = 0; i < Math.min(count, linesMax); i++) {
        const report = reader.read(bytes, lineStart[i], lineStart[i + 1], lines.timeUs(i));
        if (report === 'wrong checksum') wrongChecksums++;
        else if (report) {
          reports++;
          types.set(report.type, { dialect: report.dialect, name: report.type });
        }
      }
    }
    return { types: [...types.values()], reports, wrongChecksums };
  }

  private async lookAtSamples(gateway: string, stream: string): Promise<readonly ChannelSpec[]> {
    const channels = new Map<string, ChannelSpec>();
    for await (const { batch } of sampledBatches(this.parts, { gateway, stream, kind: 'samples' })) {
      for (const channel of decodeSamples(batch).channels) channels.set(channel.name, channel);
    }
    return [...channels.values()];
  }

  private get parts(): { index: Pick<Index, 'batches' | 'stream' | 'times'>; log: Log } {
    return { index: this.index, log: this.log };
  }
}
