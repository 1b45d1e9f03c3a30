import { type CpuProfile, figure, nanoseconds } from '@rpal/hw-x86';
import { Cite } from './cite.js';
import { common, poll } from './common.js';

/** Two packages of Xeon X5355 (Clovertown): in each two dies of two cores that share an L2; all on a front-side bus with a snoop filter. @public for experiments of your own */
export const xeonX5355: CpuProfile = {
  ...common,
  name: 'xeon-x5355',
  title: '2 x Intel Xeon X5355 (Clovertown), 2.66 GHz: the "2x4-core Intel"',
  vendor: 'intel',
  topology: { sockets: 2, coresPerSocket: 4, threadsPerCore: 1, coresPerCache: 2, memoryPerSocket: 1 / 16 },
  features: { ...common.features, meltdownSafe: false, mwait: true },
  clock: { tscGHz: 2.66, apicMHz: 333, coreGHz: figure(2.66, 2.66, 2.66, 'published', `${Cite.paper}: 2.66 GHz, no turbo`) },
  costs: {
    ...common.costs,
    syscall: figure(60, 85, 120, 'recalled', Cite.recalled),
    sysret: figure(40, 60, 90, 'recalled', Cite.recalled),
    swapgs: figure(15, 25, 45, 'estimated', Cite.estimate),
    iret: figure(150, 220, 300, 'recalled', Cite.recalled),
    interrupt: figure(400, 580, 800, 'derived', `${Cite.paper}: the trap of an IPI costs about 800 cycles, IRET taken off`),
    cr3Write: figure(150, 220, 350, 'recalled', Cite.recalled),
    cr3WriteFlush: figure(150, 220, 350, 'recalled', Cite.recalled),
    lockedOp: figure(18, 22, 30, 'recalled', Cite.recalled),
    wrmsr: figure(80, 110, 200, 'estimated', Cite.estimate),
    rdpmc: figure(30, 45, 60, 'estimated', Cite.estimate),
    rdtsc: figure(60, 64, 70, 'recalled', Cite.recalled),
    lfence: figure(6, 8, 12, 'recalled', Cite.recalled),
    mfence: figure(30, 35, 45, 'recalled', Cite.recalled),
    pause: figure(8, 9, 12, 'recalled', Cite.recalled),
    xsave: figure(80, 110, 150, 'estimated', 'FXSAVE'),
    xrstor: figure(80, 110, 150, 'estimated', 'FXRSTOR'),
    fpControl: figure(9, 14, 26, 'estimated', Cite.estimate),
    repString: figure(30, 45, 60, 'estimated', Cite.estimate),
    mispredict: figure(13, 15, 18, 'recalled', Cite.recalled),
    stlbHit: figure(2, 2, 7, 'recalled', Cite.recalled),
    monitorWake: nanoseconds(80, 110, 150, 'estimated', Cite.estimate),
    nmi: figure(400, 580, 800, 'estimated', Cite.estimate),
    vmcall: figure(2000, 2400, 3000, 'recalled', 'VM exit and entry on Core processors'),
  },
  tlb: {
    l1d4k: { entries: 16, ways: 4 },
    l1d2m: { entries: 16, ways: 4 },
    l1d1g: { entries: 1, ways: 1 },
    l1i4k: { entries: 128, ways: 4 },
    l1i2m: { entries: 8, ways: 4 },
    stlb: { entries: 256, ways: 4 },
    stlb1g: { entries: 1, ways: 1 },
  },
  cache: {
    l1d: { bytes: 32 * 1024, ways: 8, latency: figure(3, 3, 3, 'published', `${Cite.cpuz}: Xeon E5345`) },
    l2: { bytes: 4 * 1024 * 1024, ways: 16, latency: figure(14, 14, 14, 'published', `${Cite.cpuz}: Xeon E5345`) },
    l3: {
      bytes: 4 * 1024 * 1024,
      ways: 16,
      latency: figure(14, 14, 14, 'derived', 'there is none: the shared second level stands for it'),
    },
  },
  memory: {
    local: figure(110, 120, 130, 'published', `${Cite.cpuz}: 120 ns, Xeon E5345`),
    remote: figure(110, 120, 130, 'published', `${Cite.cpuz}: one memory controller for all`),
  },
  line: {
    sameCache: figure(
      26.5,
      28,
      29.5,
      'derived',
      `${Cite.cache2cache}: 59 ns at 2.33 GHz (E5345) and 53 ns at 3.0 GHz (5160), between them by clock`,
    ),
    sameSocket: figure(74, 77, 80, 'published', `${Cite.cache2cache}: 154 ns, E5345, other die`),
    crossSocket: figure(110, 112.5, 118.5, 'published', `${Cite.cache2cache}: 225 ns, E5345; 237 ns, 5160`),
  },
  physicalAddressBits: 36,
  pmu: { model: 'intel', counters: 2, delivery: figure(20, 50, 150, 'estimated', Cite.estimate) },
  idle: [
    poll,
    { name: 'C1', mwaitHint: 0, exitLatency: 1000, targetResidency: 1000, wake: figure(300, 600, 1000, 'estimated', Cite.estimate) },
  ],
};
