import type { Ledger, StreamEntry } from '../ledger/ledger.js';
import { LineCutter } from './line-cutter.js';
import type { CloudLog } from './cloud-log.js';
import { StreamJudge, type StreamVerdict } from './judge-stream.js';

/** What a log made of a fleet. */
export interface Verdict {
  scenario: string;
  ledgerHash: string;
  simulated: true;
  /** Nothing unexplained in any stream, and every record marked as simulated. */
  isFlawless: boolean;
  streams: StreamVerdict[];
  /** Streams whose records the cloud doesn't call simulated. */
  unmarked: string[];
}

/** Reads back all that the ledger knows of, through the API alone. Errors: those of `CloudLog`. */
export async function judge(ledger: Ledger, log: CloudLog): Promise<Verdict> {
  const { startUs, durationUs } = ledger;
  const rows = new Map((await log.streams()).map((row) => [`${row.gateway}/${row.stream}`, row]));
  const streams: StreamVerdict[] = [];
  const unmarked: string[] = [];
  const judgeStream = async (entry: StreamEntry): Promise<StreamVerdict> => {
    const { gateway, stream } = entry;
    const judgeOfStream = new StreamJudge(entry, startUs, durationUs);
    const row = rows.get(`${gateway}/${stream}`);
    if (!row) return judgeOfStream.finish({ explained: [], openBatches: 0 });
    if (row.records > 0 && row.origin !== 'simulated') unmarked.push(`${gateway}/${stream}`);
    const cutter = new LineCutter((line) => judgeOfStream.take(line));
    // A frame's time stamp is when it ended, a sentence's when its fix was: both close to the drive.
    for await (const chunk of log.records(entry, startUs - MARGIN_US, startUs + durationUs + MARGIN_US)) {
      cutter.take(chunk);
    }
    cutter.finish();
    return judgeOfStream.finish(await log.gaps(gateway, stream));
  };
  let next = 0;
  const reader = async (): Promise<void> => {
    while (next < ledger.streams.length) {
      const at = next++;
      streams[at] = await judgeStream(ledger.streams[at]);
    }
  };
  // Some at a time: while the cloud fetches of one, we hash of another.
  await Promise.all(Array.from({ length: READERS }, reader));
  const isFlawless = unmarked.length === 0 && streams.every(isFlawlessStream);
  return {
    scenario: ledger.scenario,
    ledgerHash: ledger.hash,
    simulated: true,
    isFlawless,
    streams,
    unmarked,
  };
}

const MARGIN_US = 2e6;
const READERS = 3;

export const isFlawlessStream = (stream: StreamVerdict): boolean =>
  stream.lost + stream.duplicated + stream.altered + stream.outOfOrder + stream.openBatches === 0;
