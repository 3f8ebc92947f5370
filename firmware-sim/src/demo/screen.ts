import Table from 'cli-table3';
import colors from 'picocolors';
import type { GatewayRow } from './rates.js';

export interface Picture {
  rows: GatewayRow[];
  logBytes: number;
  /** Below the table. */
  notes: string[];
}

/** The live picture as text, several lines. */
export function paint({ rows, logBytes, notes }: Picture): string {
  const hasPlaces = rows.some(({ place }) => place !== undefined);
  const table = new Table({
    head: [
      'gateway',
      'frames/s',
      'batches',
      'bytes/frame',
      'lag',
      'gaps',
      'buffer',
      ...(hasPlaces ? ['where'] : []),
    ].map((text) => colors.bold(text)),
    colAligns: ['left', 'right', 'right', 'right', 'right', 'right', 'right', 'right'],
    style: { head: [], border: [] },
  });
  for (const row of rows) {
    table.push([
      row.connected ? colors.green(row.gateway) : colors.yellow(row.gateway),
      count(row.framesPerSecond),
      count(row.batches),
      row.bytesPerFrame?.toFixed(2) ?? '–',
      row.lagSeconds === undefined ? '–' : `${Math.max(0, row.lagSeconds).toFixed(1)} s`,
      gapText(row),
      `${count(row.bufferedBatches)} (${bytes(row.bufferedBytes)})`,
      ...(hasPlaces ? [placeText(row)] : []),
    ]);
  }
  const total = rows.reduce((sum, { framesPerSecond }) => sum + framesPerSecond, 0);
  return [
    table.toString(),
    `together ${count(total)} frames/s; the log takes ${bytes(logBytes)} on disk`,
    ...notes,
  ].join('\n');
}

/** The picture in one line a gateway, for where there is no terminal. */
export function describeRow(row: GatewayRow): string {
  return (
    `${row.gateway}: ${count(row.framesPerSecond)} frames/s, ${count(row.batches)} batches, ` +
    `${row.bytesPerFrame?.toFixed(2) ?? '–'} bytes/frame, lag ${row.lagSeconds?.toFixed(1) ?? '–'} s, ` +
    `gaps ${row.missingBatches}${row.explainedBatches > 0 ? ` (${count(row.explainedBatches)} explained)` : ''}, ` +
    `buffer ${row.bufferedBatches}${row.place ? `, ${placeText(row)}` : ''}`
  );
}

function placeText({ place }: GatewayRow): string {
  if (!place) return '';
  return place.isInTunnel ? colors.yellow(`tunnel, ${count(place.m)} m`) : `${count(place.m)} m`;
}

/** Shows pictures one over the other on a terminal; elsewhere a few plain lines every five seconds. */
export class Screen {
  private height = 0;
  private plainAtMs = -Infinity;

  constructor(private readonly output: NodeJS.WriteStream) {}

  show(picture: Picture, atMs: number): void {
    if (this.output.isTTY) {
      const text = paint(picture);
      const up = this.height > 0 ? `\x1b[${this.height}A\x1b[0J` : '';
      this.output.write(`${up}${text}\n`);
      // A line wider than the terminal takes several of its rows.
      const width = Math.max(1, this.output.columns);
      this.height = text
        .split('\n')
        .reduce((sum, line) => sum + Math.max(1, Math.ceil(visibleWidth(line) / width)), 0);
    } else if (atMs - this.plainAtMs >= 5000) {
      this.plainAtMs = atMs;
      this.output.write(`${picture.rows.map(describeRow).join('\n')}\n`);
    }
  }

  /** A line that stays. */
  say(text: string): void {
    this.height = 0;
    this.output.write(`${text}\n`);
  }
}

function gapText({ missingBatches, explainedBatches }: GatewayRow): string {
  const explained = explainedBatches > 0 ? ` (${count(explainedBatches)} explained)` : '';
  return missingBatches > 0 ? colors.red(`${count(missingBatches)}${explained}`) : `0${explained}`;
}

// eslint-disable-next-line no-control-regex -- colours
const visibleWidth = (line: string): number => line.replace(/\x1b\[\d+m/g, '').length;

const count = (value: number): string => Math.round(value).toLocaleString('en-US');

function bytes(value: number): string {
  if (value < 1e4) return `${count(value)} B`;
  return value < 1e7 ? `${count(value / 1e3)} kB` : `${count(value / 1e6)} MB`;
}
