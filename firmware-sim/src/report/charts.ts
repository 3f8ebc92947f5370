import { escapeHtml } from './page.js';

/** One line of a chart; four have colours. */
export interface Series {
  name: string;
  values: readonly number[];
}

export interface LineChart {
  title: string;
  unit: string;
  /** Of all series, ascending. */
  x: readonly number[];
  /** What the reader sees under an x. */
  xText: (x: number) => string;
  series: readonly Series[];
}

/** A bar from 0, with what stands left and right of it. */
export interface Bar {
  label: string;
  value: number;
  text: string;
}

const WIDTH = 920;
const HEIGHT = 210;
const LEFT = 64;
const RIGHT = 12;
const TOP = 10;
const BOTTOM = 24;
const BAR_HEIGHT = 18;
const BAR_LEFT = 150;
const BAR_RIGHT = 110;
/** More points than pixels only make the file larger. */
const POINTS_MAX = 900;

/** Lines over a common axis, from 0 up. */
export function lineChart({ title, unit, x, xText, series }: LineChart): string {
  const top = niceCeiling(Math.max(0, ...series.flatMap(({ values }) => values)));
  const first = x.at(0) ?? 0;
  const last = x.at(-1) ?? 1;
  const toX = (value: number): number =>
    LEFT + ((WIDTH - LEFT - RIGHT) * (value - first)) / (last - first || 1);
  const toY = (value: number): number => HEIGHT - BOTTOM - ((HEIGHT - TOP - BOTTOM) * value) / top;
  const grid = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const y = toY(share * top).toFixed(1);
    return (
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y}" y2="${y}"/>` +
      `<text x="${LEFT - 6}" y="${Number(y) + 4}" text-anchor="end">${short(share * top)}</text>`
    );
  });
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => {
    const at = first + share * (last - first);
    const anchor = share === 0 ? 'start' : share === 1 ? 'end' : 'middle';
    return `<text x="${toX(at).toFixed(1)}" y="${HEIGHT - 6}" text-anchor="${anchor}">${escapeHtml(xText(at))}</text>`;
  });
  const step = Math.max(1, Math.ceil(x.length / POINTS_MAX));
  const lines = series.map(({ values }, n) => {
    const points = values.flatMap((value, i) =>
      i % step === 0 ? [`${toX(x[i]).toFixed(1)},${toY(value).toFixed(1)}`] : [],
    );
    return `<polyline class="l${n}" points="${points.join(' ')}"/>`;
  });
  const keys =
    series.length > 1
      ? series.map(({ name }, n) => `<span class="key"><i class="k${n}"></i>${escapeHtml(name)}</span>`)
      : [];
  return figure(title, unit, HEIGHT, [...grid, ...marks, ...lines].join(''), keys.join(''));
}

/** Bars under each other. */
export function barChart(title: string, unit: string, bars: readonly Bar[]): string {
  const most = Math.max(1e-9, ...bars.map(({ value }) => value));
  const rows = bars.map(({ label, value, text }, i) => {
    const y = i * BAR_HEIGHT;
    const width = ((WIDTH - BAR_LEFT - BAR_RIGHT) * value) / most;
    return (
      `<text x="${BAR_LEFT - 6}" y="${y + 13}" text-anchor="end">${escapeHtml(label)}</text>` +
      `<rect class="f0" x="${BAR_LEFT}" y="${y + 3}" width="${width.toFixed(1)}" height="${BAR_HEIGHT - 5}" rx="2"/>` +
      `<text x="${(BAR_LEFT + width + 6).toFixed(1)}" y="${y + 13}">${escapeHtml(text)}</text>`
    );
  });
  return figure(title, unit, bars.length * BAR_HEIGHT + 2, rows.join(''), '');
}

function figure(title: string, unit: string, height: number, content: string, keys: string): string {
  return (
    `<figure><figcaption>${escapeHtml(title)} <small>${escapeHtml(unit)}</small></figcaption>${keys}` +
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(`${title}, ${unit}`)}">${content}</svg></figure>`
  );
}

/** 1, 2 or 5 times a power of ten, so that the axis can be read. */
function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((factor) => factor * power).find((nice) => nice >= value) ?? 10 * power;
}

function short(value: number): string {
  if (value >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (value >= 1e4) return `${Number((value / 1e3).toPrecision(3))} k`;
  return String(Number(value.toPrecision(3)));
}
