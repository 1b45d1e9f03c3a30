import { Epoll, Poll } from '@rpal/uapi';
import type { Call } from './calls.js';

const TRIGGERS = { LT: 0, ET: Epoll.ET } as const;
const SHAPES = ['flat', 'nested once', 'nested twice', 'diamond'] as const;

/** Waiters on one epoll instance, what it watches, and sources that fire one after the other while they wait. */
export interface Scenario {
  readonly trigger: keyof typeof TRIGGERS;
  readonly waiters: 1 | 2;
  readonly shape: (typeof SHAPES)[number];
  readonly sources: 1 | 2;
}

/** Every combination. */
export const scenarios: readonly Scenario[] = (['LT', 'ET'] as const).flatMap((trigger) =>
  ([1, 2] as const).flatMap((waiters) =>
    SHAPES.flatMap((shape) => ([1, 2] as const).map((sources) => ({ trigger, waiters, shape, sources }))),
  ),
);

/** The scenario as calls; the last `sources` of them fire. Sources are eventfds, and an item's data is the descriptor it watches. */
export function callsOf({ trigger, waiters, shape, sources }: Scenario): Call[] {
  const calls: Call[] = [];
  let fds = 0;
  const call = (process: number, name: string, ...args: number[]) => calls.push({ process, call: name, args });
  const epoll = () => {
    call(0, 'epoll');
    return fds++;
  };
  const watch = (epfd: number, fd: number) => call(0, 'ctl', epfd, Epoll.CTL_ADD, fd, Poll.IN | TRIGGERS[trigger], fd);
  const firing = Array.from({ length: sources }, () => {
    call(0, 'eventfd', 0, 0);
    return fds++;
  });
  const over = (below: readonly number[]) => {
    const epfd = epoll();
    for (const fd of below) watch(epfd, fd);
    return epfd;
  };
  let top = shape === 'diamond' ? over([over(firing), over(firing)]) : over(firing);
  if (shape === 'nested once') top = over([top]);
  if (shape === 'nested twice') top = over([over([top])]);
  for (let waiter = 1; waiter <= waiters; waiter++) {
    call(0, 'fork', waiter);
    call(waiter, 'wait', top, 16, -1);
  }
  for (const fd of firing) call(0, 'count', fd, 0, 1);
  return calls;
}

/**
 * What the firings led to: per source the items that each waiter that returned got, ready items first come first. Which
 * waiter it was is left out: two that are woken by one firing race.
 */
export function outcome(scenario: Scenario, answers: readonly (readonly string[])[]): string {
  return answers
    .slice(-scenario.sources)
    .map((lines) => {
      const returned = lines.filter((line) => line.startsWith('+'));
      return returned.map((line) => line.replace(/^\+ \d \d+ /, '').replaceAll(':1', '')).join(' | ') || 'nobody';
    })
    .join('; ');
}
