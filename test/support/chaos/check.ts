/** Compares what came out of the log with what went in. It must be able to fail: see test/fault/check.test.ts. */

/** What should be in the cloud of one stream. */
export interface Expectation {
  gateway: string;
  stream: string;
  format: 'candump' | 'lines';
  input: Buffer;
}

/** What the cloud says that it holds; the command line of the product, or a double. */
export interface CloudView {
  exportStream(expectation: Expectation): Promise<Buffer>;
  /** Records by `gateway/stream`. */
  recordCounts(): Promise<Map<string, number>>;
  /** What `fleetlog gaps` says against the gateway; undefined where it says that nothing is unexplained. */
  gaps(gateway: string): Promise<string | undefined>;
}

export interface Score {
  streams: number;
  bytes: number;
  records: number;
  lost: number;
  duplicated: number;
  altered: number;
  /** Sentences, one for each thing that isn't as it must be. */
  complaints: string[];
}

export const emptyScore = (): Score => ({
  streams: 0,
  bytes: 0,
  records: 0,
  lost: 0,
  duplicated: 0,
  altered: 0,
  complaints: [],
});

export function addScore(total: Score, score: Score): void {
  for (const key of ['streams', 'bytes', 'records', 'lost', 'duplicated', 'altered'] as const) {
    total[key] += score[key];
  }
  total.complaints.push(...score.complaints);
}

/** The gateways' own events come on top of what was sent. */
const eventsStream = 'events';

/** Every stream byte for byte, every record once, no gap, nothing that nobody sent. */
export async function checkCloud(view: CloudView, expectations: readonly Expectation[]): Promise<Score> {
  const score = emptyScore();
  const counts = await view.recordCounts();
  const gateways = new Set(expectations.map(({ gateway }) => gateway));
  const outputs = await inGroups(expectations, (expectation) => view.exportStream(expectation));
  for (const [at, expectation] of expectations.entries()) {
    const name = `${expectation.gateway}/${expectation.stream}`;
    const { input } = expectation;
    const records = recordsOf(input).length;
    score.streams++;
    score.bytes += input.length;
    score.records += records;
    const counted = counts.get(name) ?? 0;
    if (counted !== records)
      score.complaints.push(`${name}: ${records} records went in, the cloud counts ${counted}`);
    const difference = compare(name, input, outputs[at]);
    addScore(score, difference);
    // An export may leave out what the log holds twice; its counts don't.
    score.duplicated += Math.max(0, counted - records - difference.duplicated);
  }
  for (const name of counts.keys()) {
    const [gateway, stream] = name.split('/');
    const wanted = expectations.some((e) => e.gateway === gateway && e.stream === stream);
    if (gateways.has(gateway) && !wanted && stream !== eventsStream)
      score.complaints.push(`${name}: nobody sent this stream`);
  }
  const said = await inGroups([...gateways], (gateway) => view.gaps(gateway));
  for (const [at, gateway] of [...gateways].entries()) {
    const gaps = said[at];
    if (gaps !== undefined) score.complaints.push(`${gateway}: fleetlog gaps says: ${gaps}`);
  }
  return score;
}

/** Each asks a process of its own, of which the machine takes a few at a time. */
async function inGroups<T, R>(items: readonly T[], ask: (item: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let at = 0; at < items.length; at += 3)
    answers.push(...(await Promise.all(items.slice(at, at + 3).map(ask))));
  return answers;
}

/** Counts what differs, record by record; an empty score without complaints where both are equal byte for byte. */
function compare(name: string, input: Buffer, output: Buffer): Score {
  const score = emptyScore();
  if (input.equals(output)) return score;
  const missing = new Map<string, number>();
  for (const record of recordsOf(input)) missing.set(record, (missing.get(record) ?? 0) + 1);
  const known = new Set(missing.keys());
  let foreign = 0;
  for (const record of recordsOf(output)) {
    const left = missing.get(record) ?? 0;
    if (left > 0) missing.set(record, left - 1);
    else if (known.has(record)) score.duplicated++;
    else foreign++;
  }
  const lost = [...missing.values()].reduce((sum, count) => sum + count, 0);
  // A record that nobody sent in the place of one that is missing is most likely that one, changed.
  score.altered = foreign;
  score.lost = Math.max(0, lost - foreign);
  score.complaints.push(
    `${name}: the export differs from byte ${firstDifference(input, output)} on ` +
      `(${input.length} bytes in, ${output.length} out; records: ${score.lost} lost, ` +
      `${score.duplicated} duplicated, ${score.altered} altered` +
      `${lost + score.duplicated + foreign === 0 ? ', only the order differs' : ''})`,
  );
  return score;
}

/** Lines with their line ends; the last one may have none. Latin-1, so that any byte is kept. */
function recordsOf(bytes: Buffer): string[] {
  const records = bytes.toString('latin1').split(/(?<=\n)/);
  return records.length === 1 && records[0] === '' ? [] : records;
}

function firstDifference(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return length;
}
