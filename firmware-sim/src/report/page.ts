import { writeFile } from 'node:fs/promises';
import { FleetlogError, systemCode } from '@fleetlog/shared/errors';

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text for a page or an attribute of it. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"]/g, (letter) => escapes[letter]);

/** One number that stands for the whole, and what it is. */
export interface Tile {
  value: string;
  label: string;
  tone?: 'good' | 'bad';
}

export const tiles = (of: readonly Tile[]): string =>
  `<div class="tiles">${of
    .map(
      ({ value, label, tone = '' }) =>
        `<div class="tile ${tone}"><b>${escapeHtml(value)}</b><span>${escapeHtml(label)}</span></div>`,
    )
    .join('')}</div>`;

/** Rows of text under a head; all but the first columns are numbers. */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  textColumns: number,
  isBad: (row: number) => boolean = () => false,
): string {
  const cells = (row: readonly string[], tag: string): string =>
    row
      .map((text, i) => `<${tag}${i < textColumns ? '' : ' class="n"'}>${escapeHtml(text)}</${tag}>`)
      .join('');
  const body = rows
    .map((row, i) => `<tr${isBad(i) ? ' class="bad"' : ''}>${cells(row, 'td')}</tr>`)
    .join('\n');
  return `<div class="wide"><table><thead><tr>${cells(head, 'th')}</tr></thead><tbody>${body}</tbody></table></div>`;
}

export const section = (title: string, content: string): string =>
  `<section><h2>${escapeHtml(title)}</h2>${content}</section>`;

/** A whole page in one file, which needs nothing else, and follows the reader's choice of light or dark. */
export function page(title: string, subtitle: string, sections: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${css}</style>
</head>
<body>
<header><h1>${escapeHtml(title)}</h1><p>${escapeHtml(subtitle)}</p></header>
<main>
${sections.join('\n')}
</main>
<footer>Simulated data. Made by fleetlog-sim.</footer>
</body>
</html>
`;
}

/** Errors: FLEETLOG_USAGE for a path that can't be written. */
export async function writePage(path: string, html: string): Promise<void> {
  try {
    await writeFile(path, html);
  } catch (cause) {
    const code = systemCode(cause) ?? 'unknown error';
    throw new FleetlogError('FLEETLOG_USAGE', `${path} can't be written (${code}); give another --html.`, {
      cause,
    });
  }
}

const css = `
:root { color-scheme: light dark; --back: #fff; --text: #1c2330; --dim: #5b6676; --line: #d9dee6; --card: #f6f8fa;
  --s0: #1f6feb; --s1: #d9730d; --s2: #1a7f4b; --s3: #8250df; --good: #1a7f4b; --bad: #c62828; }
@media (prefers-color-scheme: dark) { :root { --back: #12161d; --text: #e4e8ee; --dim: #97a2b2; --line: #2e3745;
  --card: #1a2029; --s0: #58a6ff; --s1: #f0a04b; --s2: #4cc38a; --s3: #b794f6; --good: #4cc38a; --bad: #ff7b72; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 64rem; padding: 1.5rem; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 1.8rem 0 .6rem; }
header p, footer { color: var(--dim); margin: .2rem 0 1rem; } footer { margin-top: 2rem; font-size: .85rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .6rem; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; }
.tile b { display: block; font-size: 1.25rem; font-variant-numeric: tabular-nums; } .tile span { color: var(--dim); font-size: .85rem; }
.tile.good b { color: var(--good); } .tile.bad b { color: var(--bad); }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; min-width: 60%; }
th, td { text-align: left; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--dim); font-weight: 600; font-size: .85rem; } .n { text-align: right; } tr.bad td { color: var(--bad); }
figure { margin: 0 0 1.2rem; } figcaption { font-weight: 600; font-size: .9rem; margin-bottom: .2rem; }
figcaption small { color: var(--dim); font-weight: 400; } svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--dim); font: 11px system-ui, sans-serif; font-variant-numeric: tabular-nums; } .grid { stroke: var(--line); }
.key { display: inline-block; margin-right: 1rem; color: var(--dim); font-size: .85rem; }
.key i { display: inline-block; width: .8rem; height: .2rem; margin-right: .35rem; vertical-align: middle; }
${[0, 1, 2, 3].map((i) => `.l${i} { stroke: var(--s${i}); fill: none; stroke-width: 1.8; } .f${i} { fill: var(--s${i}); } .key .k${i} { background: var(--s${i}); }`).join('\n')}
`;
