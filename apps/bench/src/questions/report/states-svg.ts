import { receiverRows } from '@rpal/rpal-core';
import { escaped } from '../../report/escaped.js';

/** Where each state of a receiver is drawn. */
const PLACES: Readonly<Record<string, readonly [x: number, y: number]>> = {
  RUNNING: [110, 60],
  READY: [330, 60],
  WAIT: [550, 60],
  CALL: [550, 210],
  LAZY_SWITCH: [330, 210],
  READY_LS: [440, 330],
  KERNEL_RET: [110, 210],
};

const HALF_WIDTH = 62;
const HALF_HEIGHT = 18;

/** The point on the border of a box at (x, y) in the direction of (toX, toY). */
function border(x: number, y: number, toX: number, toY: number): readonly [number, number] {
  const [dx, dy] = [toX - x, toY - y];
  const scale = Math.min(
    dx === 0 ? Number.POSITIVE_INFINITY : HALF_WIDTH / Math.abs(dx),
    dy === 0 ? Number.POSITIVE_INFINITY : HALF_HEIGHT / Math.abs(dy),
  );
  return [x + dx * scale, y + dy * scale];
}

function arrow(from: string, to: string, rows: readonly number[]): string {
  const [a, b] = [PLACES[from], PLACES[to]];
  if (a === undefined || b === undefined) return '';
  const [middleX, middleY] = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
  const length = Math.hypot(b[0] - a[0], b[1] - a[1]);
  // Bent to the left, so that the way back does not cover the way there.
  const [bendX, bendY] = [middleX + ((b[1] - a[1]) / length) * 34, middleY - ((b[0] - a[0]) / length) * 34];
  const [x1, y1] = border(a[0], a[1], bendX, bendY);
  const [x2, y2] = border(b[0], b[1], bendX, bendY);
  const [labelX, labelY] = [(middleX + bendX) / 2, (middleY + bendY) / 2];
  return `<path d="M${x1.toFixed(1)} ${y1.toFixed(1)} Q${bendX.toFixed(1)} ${bendY.toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}" marker-end="url(#tip)"/><text class="row" x="${labelX.toFixed(1)}" y="${(labelY + 4).toFixed(1)}">${rows.join(', ')}</text>`;
}

/** The receiver's states and the rows of the table by which it goes from one to another; rows from any state are left out. */
export function statesSvg(): string {
  const arrows = new Map<string, number[]>();
  for (const [number, { from, to }] of Object.entries(receiverRows)) {
    for (const state of from.split(', ')) {
      if (PLACES[state] === undefined) continue;
      const key = `${state}>${to}`;
      arrows.set(key, [...(arrows.get(key) ?? []), Number(number)]);
    }
  }
  const lines = [...arrows].map(([key, rows]) => {
    const [from = '', to = ''] = key.split('>');
    return arrow(from, to, rows);
  });
  const boxes = Object.entries(PLACES).map(
    ([state, [x, y]]) =>
      `<rect x="${x - HALF_WIDTH}" y="${y - HALF_HEIGHT}" width="${2 * HALF_WIDTH}" height="${2 * HALF_HEIGHT}" rx="8"/><text x="${x}" y="${y + 4}" text-anchor="middle">${escaped(state)}</text>`,
  );
  return `<svg class="states" viewBox="0 0 660 370" role="img" aria-label="states of a receiver"><defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 L8 4 L0 8 z"/></marker></defs>${lines.join('')}${boxes.join('')}</svg>`;
}
