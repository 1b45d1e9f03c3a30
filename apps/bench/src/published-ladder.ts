import type { CostStatus } from '@rpal/hw-x86';

/** What others have measured of a way to send a small message: one way, on their machines and under their conditions. */
export interface Rung {
  readonly id: string;
  readonly what: string;
  /** Nanoseconds one way. */
  readonly ns: number;
  /** CPU and conditions, as far as they are known, and how the figure was had. */
  readonly source: string;
  readonly status: CostStatus;
}

/** Where RPAL lies among what was published: fastest first. No price in the model comes from these. */
export const publishedLadder: readonly Rung[] = [
  {
    id: 'stack-switch',
    what: 'switch of user stacks alone',
    ns: 9,
    source: 'Boost.Context performance page: 19 cycles, Xeon E5-2620 v4 at 2.2 GHz',
    status: 'published',
  },
  {
    id: 'call-gate',
    what: 'call gate of two WRPKRU',
    ns: 26,
    source: 'ERIM, USENIX Security 2019: 55 to 80 cycles at 2.6 GHz, the middle',
    status: 'derived',
  },
  {
    id: 'line',
    what: 'a line from core to core of a socket',
    ns: 51,
    source: 'nviennot/core-to-core-latency, Platinum 8375C; Intel MLC on Platinum 8360Y: 60',
    status: 'published',
  },
  {
    id: 'zero-copy',
    what: 'a reference through memory that is watched',
    ns: 98,
    source: 'iceoryx2, data of its plots, i7-13700H, 64 B',
    status: 'published',
  },
  {
    id: 'shared-memory',
    what: 'shared memory that is watched, 100 B',
    ns: 106,
    source: 'ipc-bench, README, i5-4590S at 3.0 GHz, round trip halved',
    status: 'derived',
  },
  {
    id: 'seL4',
    what: 'seL4 call leg on one core',
    ns: 211,
    source: 'seL4 performance page: 718 cycles, i7-6700 at 3.4 GHz, no mitigations',
    status: 'derived',
  },
  {
    id: 'rpal-library',
    what: 'RPAL without formatting of stamps',
    ns: 350,
    source: 'bottom-up sum over the posted library at 3.0 GHz',
    status: 'estimated',
  },
  { id: 'rpal', what: 'RPAL, RFC v2, cover letter', ns: 740, source: 'RFC v2: 1,703 TSC cycles at 2.3 GHz', status: 'published' },
  {
    id: 'rpal-example',
    what: 'RPAL, RFC v2, example in patch 35',
    ns: 955,
    source: 'RFC v2, patch 35: 2,197 TSC cycles at 2.3 GHz',
    status: 'published',
  },
  {
    id: 'pipe-one-cpu',
    what: 'pipe, both ends on one CPU',
    ns: 1395,
    source: 'I. Molnar, linux-kernel, 2025: perf bench sched pipe in a guest, halved',
    status: 'derived',
  },
  {
    id: 'unix-socket',
    what: 'Unix socket, 64 B, two CPUs',
    ns: 1600,
    source: 'iceoryx2, data of its plots, i7-13700H; 2,100 on Ryzen 7 7840S',
    status: 'published',
  },
  {
    id: 'pipe-two-cpus',
    what: 'pipe, two CPUs, 3.0 GHz',
    ns: 2815,
    source: 'Linux documentation, Intel Speed Select, 2019, halved',
    status: 'derived',
  },
  {
    id: 'epoll-sync',
    what: 'epoll on pipes, synchronous wake-ups',
    ns: 4615,
    source: 'B. Geffon, linux-fsdevel, December 2024, CPU not named, halved',
    status: 'derived',
  },
  {
    id: 'epoll-no-sync',
    what: 'epoll on pipes, ordinary wake-ups',
    ns: 6095,
    source: 'B. Geffon, linux-fsdevel, December 2024, CPU not named, halved',
    status: 'derived',
  },
  {
    id: 'epoll-example',
    what: 'socket and epoll, RFC v2, example in patch 35',
    ns: 7147,
    source: 'RFC v2, patch 35: 16,439 TSC cycles at 2.3 GHz',
    status: 'published',
  },
  {
    id: 'epoll',
    what: 'socket and epoll, RFC v2, cover letter',
    ns: 8529,
    source: 'RFC v2: 19,616 TSC cycles at 2.3 GHz',
    status: 'published',
  },
];
