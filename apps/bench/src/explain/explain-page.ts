import type { Stretch, Waterfall } from '@rpal/compare';
import { escaped } from '../report/escaped.js';
import { whole } from '../report/numbers.js';
import { drawWaterfall } from './explain-svg.js';

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}svg{width:100%;height:auto;border-radius:4px}' +
  'table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.1rem .8rem;text-align:right}td:nth-child(4),td:nth-child(5),th:nth-child(4),th:nth-child(5){text-align:left}' +
  'tbody tr:nth-child(odd){background:color-mix(in srgb,currentColor 7%,transparent)}div{overflow-x:auto}';

/** A message's way as a page that needs nothing else: the picture, and the table behind it. @param command makes it again */
export function waterfallPage(title: string, conditions: string, waterfall: Waterfall, command: string): string {
  const { there, back } = waterfall;
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escaped(title)}</title><style>${STYLE}</style></head>`,
    `<body><main><h1>${escaped(title)}</h1><p>${escaped(conditions)}</p>`,
    drawWaterfall(title, waterfall),
    '<p>Where the message is, and what is executed or waited for there, from the moment at which the client begins to send. The stretches follow each other without a gap.</p>',
    `<h2>The way there</h2>${table(there)}<h2>The way back</h2>${table(back)}`,
    `<p>Made by <code>${escaped(command)}</code></p></main></body></html>`,
    '',
  ].join('\n');
}

function table(stretches: readonly Stretch[]): string {
  const rows = stretches.map(({ at, cycles, step, cause, cpu }) => {
    const cells = [whole(Math.round(at)), cpu === null ? '' : String(cpu), whole(Math.round(cycles)), cause, step];
    return `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join('')}</tr>`;
  });
  const head = ['at', 'CPU', 'cycles', 'cause', 'step'].map((name) => `<th scope="col">${name}</th>`).join('');
  return `<div tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${rows.join('')}</tbody></table></div>`;
}
