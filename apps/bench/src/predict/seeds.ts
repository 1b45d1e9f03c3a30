import { middleOf } from '../seeds.js';

/** What one seed gave. */
export interface SeedRun {
  readonly seed: number;
  /** Microseconds per round trip. */
  readonly trip: number;
  /** Of the wake-ups, how many found the other CPU idle. */
  readonly asleep: number;
}

/** Seeds that gave about the same. */
export interface Mode {
  readonly seeds: number;
  /** Median, microseconds. */
  readonly trip: number;
  readonly asleep: number;
}

/** What the seeds came to. */
export interface SeedSpread {
  readonly median: number;
  /** All seeds lie within. */
  readonly low: number;
  readonly high: number;
  /** Two, if the seeds lie more than a tenth apart: fastest first. */
  readonly modes: readonly Mode[];
}

/** Of the median; below that all is one mode. */
const APART = 0.1;

/** @param runs one at least */
export function spreadOver(runs: readonly SeedRun[]): SeedSpread {
  const sorted = [...runs].sort((a, b) => a.trip - b.trip);
  const [first, last] = [sorted[0] as SeedRun, sorted.at(-1) as SeedRun];
  const median = middleOf(sorted).trip;
  const range = { median, low: first.trip, high: last.trip };
  if (last.trip - first.trip <= APART * median) return { ...range, modes: [modeOf(sorted)] };
  let border = 1;
  const gap = (at: number): number => (sorted[at] as SeedRun).trip - (sorted[at - 1] as SeedRun).trip;
  for (let at = 2; at < sorted.length; at++) if (gap(at) > gap(border)) border = at;
  return { ...range, modes: [modeOf(sorted.slice(0, border)), modeOf(sorted.slice(border))] };
}

/** What a mode is: how many of its wake-ups find the other side asleep. */
export function modeText({ seeds, trip, asleep }: Mode): string {
  return `${trip.toFixed(2)} us with ${seeds} seed${seeds === 1 ? '' : 's'}, ${(100 * asleep).toFixed(0)} % of the wake-ups find an idle CPU`;
}

function modeOf(sorted: readonly SeedRun[]): Mode {
  const asleep = sorted.reduce((sum, run) => sum + run.asleep, 0) / sorted.length;
  return { seeds: sorted.length, trip: middleOf(sorted).trip, asleep };
}
