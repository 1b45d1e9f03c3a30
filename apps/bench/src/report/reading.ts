import { tenths, whole } from './numbers.js';
import type { Breakdown, PhaseReport, RfcReport } from './rfc-report.js';

/** A part of the measured latency that a reader may not expect, or that other measurements lack. */
export interface Contained {
  readonly what: string;
  /** TSC cycles per message, for each phase of the report. */
  readonly perPhase: readonly number[];
}

/** Steps of a wake-up; what a message needs once. */
const WAKE_STEPS = ['wakeBody', 'wakeEnqueue', 'wakePreemptCheck', 'wakePressure', 'wakeQueueRemote', 'selectRq'];

const PARTS: readonly (readonly [string, (breakdown: Breakdown, messages: number) => number])[] = [
  ["formatting and parsing the stamp, as the RFC's sample does", (b) => cyclesOf(b, ['@rpal/kernel:sprintf', '@rpal/kernel:sscanf'])],
  ['clearing branch history on system calls (BHI mitigation)', (b) => groundCycles(b, 'bhbClear')],
  ['security hooks of read and write (AppArmor)', (b) => cyclesOf(b, ['@rpal/vfs:security'])],
  ['pressure-stall accounting (PSI)', (b) => cyclesOf(b, ['@rpal/sched:wakePressure', '@rpal/sched:switchPressure'])],
  ['wake-ups beyond the first: room in the socket wakes the client, which waits for the echo', secondWakeUp],
];

export function containedIn({ phases }: RfcReport): readonly Contained[] {
  return PARTS.map(([what, of]) => ({ what, perPhase: phases.map(({ forward, messages }) => of(forward, messages) / messages) }));
}

/** How much of a phase's latency is a counted amount of something, times the price of one. */
export function countedShare({ forward }: PhaseReport): number {
  const parts = forward.steps.flatMap(({ grounds }) => grounds);
  return parts.reduce((sum, { amount, cycles }) => (amount === 'counted' ? sum + cycles : sum), 0) / forward.totalCycles;
}

/** What one-CPU measurements of others suggest for the epoll phase, one way, TSC cycles at 2.3 GHz. */
const ONE_CPU = [4000, 5200] as const;

/** How the epoll phase on one CPU compares with what others measured on one CPU. */
export function oneCpuNote(report: RfcReport): readonly string[] {
  const epoll = report.phases.find(({ phase }) => phase === 'epoll');
  const [low, high] = ONE_CPU;
  if (epoll === undefined || report.settings.placement !== 'same-cpu' || !(report.published[0]?.comparable ?? false)) return [];
  const average = epoll.averageCycles;
  const suggested = `Pipe ping-pongs that others measured on one CPU suggest ${whole(low)} .. ${whole(high)} cycles for EPOLL here`;
  if (average >= low && average <= high) return [`${suggested}; this run lies within.`];
  const above = average > high;
  const beyond = above ? `${whole(average - high)} cycles above` : `${whole(low - average)} cycles below`;
  const parts = containedIn(report).reduce((sum, { perPhase }) => sum + (perPhase[report.phases.indexOf(epoll)] as number), 0);
  const why = above ? ` The parts above, which such measurements lack or need not have, come to ${tenths(parts)}.` : '';
  return [`${suggested}; this run lies ${beyond}.${why}`];
}

function cyclesOf({ steps }: Breakdown, names: readonly string[]): number {
  return steps.reduce((sum, { step, cycles }) => (names.includes(step) ? sum + cycles : sum), 0);
}

/** Cycles of one hardware event, in whatever steps it occurs. */
function groundCycles({ steps }: Breakdown, event: string): number {
  return steps.reduce(
    (sum, { grounds }) => grounds.reduce((part, { what, cycles }) => (what.endsWith(` ${event}`) ? part + cycles : part), sum),
    0,
  );
}

function secondWakeUp({ steps }: Breakdown, messages: number): number {
  let sum = 0;
  for (const { step, count, cycles } of steps) {
    const beyond = count - messages;
    if (step.startsWith('@rpal/sched:') && WAKE_STEPS.includes(step.slice('@rpal/sched:'.length)) && beyond > 0) {
      sum += (cycles / count) * beyond;
    }
  }
  return sum;
}
