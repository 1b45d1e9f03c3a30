import { type Mechanism, requests, type Waiting } from '@rpal/compare';
import type { CpuProfile } from '@rpal/hw-x86';
import { cpusFor, type Placement } from '../rfc-benchmark.js';

/** Handler times that are tried, microseconds. */
export const HANDLERS: readonly number[] = [0, 1, 2, 5, 10, 20, 50, 100, 200];
/** What the RFC says a service saved in production, at most. */
export const CLAIMED = 0.155;

/** CPU time of one request, with one mechanism and with another. */
export interface Line {
  /** Microseconds that the services compute per request, over all hops. */
  readonly handler: number;
  /** Microseconds that CPUs were awake for per request. */
  readonly before: number;
  readonly after: number;
  /** 1 - after / before. */
  readonly saved: number;
}

/** Services that exchange requests. */
export interface Mesh {
  /** Requests per second. */
  readonly rate: number;
  /** Bytes of request and answer. */
  readonly size: number;
  /** Exchanges per request. */
  readonly hops: number;
  /** System calls of a handler. */
  readonly calls: number;
  /** How many are run. */
  readonly requests: number;
  readonly profile: CpuProfile;
  readonly placement: Placement;
}

/** CPU time of a request whose handlers compute `handler` microseconds. */
export function meshLine(before: Mechanism, after: Mechanism, mesh: Mesh, handler: number): Line {
  const [a, b] = [cpuTime(before, mesh, handler), cpuTime(after, mesh, handler)];
  return { handler, before: a, after: b, saved: 1 - b / a };
}

/** Microseconds that the CPUs of both sides are awake for per request of `hops` exchanges. @param handler microseconds of computing per request */
function cpuTime(mechanism: Mechanism, { rate, size, hops, calls, requests: count, profile, placement }: Mesh, handler: number): number {
  const { tscGHz } = profile.clock;
  const each = Math.round((handler / hops) * 1000 * tscGHz);
  const result = requests(
    mechanism,
    // The hops of a request follow each other at this distance; the rate is that of requests.
    { cycles: each, systemCalls: calls, pause: Math.round(1e9 / rate / hops) },
    {
      machine: { profile, idle: 'C1E' },
      size,
      cpus: cpusFor(profile, placement),
      waiting: mechanism.waits[0] as Waiting,
      messages: count,
      warmUp: 10,
    },
  );
  const busy = result.busy.reduce((sum, cycles) => sum + cycles, 0);
  return ((busy / count) * hops) / tscGHz / 1000;
}

/** The handler time at which the RFC's share is saved, between the two lines around it. */
export function crossing(lines: readonly Line[]): number | null {
  for (const [index, { handler, saved }] of lines.entries()) {
    const next = lines[index + 1];
    if (next === undefined || saved < CLAIMED || next.saved >= CLAIMED) continue;
    return handler + ((saved - CLAIMED) / (saved - next.saved)) * (next.handler - handler);
  }
  return null;
}
