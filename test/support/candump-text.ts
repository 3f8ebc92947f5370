import { CandumpFormatter, CandumpParser, CanFrames, lineReason, lineResult } from '@fleetlog/shared/can';

export interface ParsedText {
  /** Frames in batches, as they were sealed. */
  batches: CanFrames[];
  malformed: { line: number; reason: string }[];
  /** The text of the lines that are frames. */
  frameText: string;
}

/** Parses whole candump text (latin1) line by line, and seals when the parser says so. */
export function parseCandump(
  text: string,
  parser = new CandumpParser(),
  framesPerBatch = Infinity,
): ParsedText {
  const bytes = Buffer.from(text, 'latin1');
  const parsed: ParsedText = { batches: [], malformed: [], frameText: '' };
  let frames = new CanFrames(4);
  const seal = (): void => {
    if (frames.count > 0) parsed.batches.push(frames);
    frames = new CanFrames(4);
  };
  for (let at = 0, line = 1; at < bytes.length;) {
    const unterminated = !bytes.includes(10, at);
    const result = unterminated
      ? parser.parseUnterminated(bytes, at, bytes.length, frames)
      : parser.parseLine(bytes, at, frames);
    if (result === lineResult.seal) {
      seal();
      continue;
    }
    if (result === lineResult.later) throw new Error('later, though everything is due');
    if (result === lineResult.ok) parsed.frameText += text.slice(at, parser.lineEnd);
    else parsed.malformed.push({ line, reason: lineReason(result) });
    at = parser.lineEnd;
    line++;
    if (frames.count >= framesPerBatch) seal();
  }
  seal();
  return parsed;
}

export function formatCandump(batches: readonly CanFrames[]): string {
  const formatter = new CandumpFormatter();
  return batches.map((frames) => Buffer.from(formatter.format(frames)).toString('latin1')).join('');
}
