import { type CpuProfile, figure, nanoseconds } from '@rpal/hw-x86';
import { Cite } from './cite.js';
import { common, poll } from './common.js';
import { hopsOf } from './hops.js';

/** One more link, ns: half of what lies between the one-hop and the two-hop ping-pong of four Opteron 880 (169 and 188 ns). */
const ONE_MORE_LINK = 9.5;
const moreLinks = `${Cite.cache2cache}: each further link as between 169 and 188 ns of four Opteron 880`;

/** What these Opterons have in common as far as figures could be found. */
const opteron = {
  ...common,
  vendor: 'amd',
  features: { ...common.features, meltdownSafe: true, mwait: false },
  costs: {
    ...common.costs,
    syscall: figure(27, 40, 80, 'recalled', `${Cite.guide}: SYSCALL 27`),
    sysret: figure(35, 45, 80, 'recalled', `${Cite.guide}: SYSRET 35`),
    swapgs: figure(10, 20, 40, 'estimated', Cite.estimate),
    iret: figure(80, 120, 200, 'recalled', Cite.recalled),
    interrupt: figure(400, 680, 800, 'derived', `${Cite.paper}: the trap of an IPI costs about 800 cycles, IRET taken off`),
    cr3Write: figure(80, 150, 300, 'estimated', Cite.estimate),
    cr3WriteFlush: figure(80, 150, 300, 'estimated', Cite.estimate),
    lockedOp: figure(16, 19, 25, 'recalled', Cite.recalled),
    wrmsr: figure(80, 130, 200, 'estimated', Cite.estimate),
    rdpmc: figure(15, 25, 45, 'estimated', Cite.estimate),
    rdtsc: figure(10, 60, 75, 'recalled', Cite.recalled),
    lfence: figure(4, 6, 10, 'recalled', Cite.recalled),
    mfence: figure(20, 30, 45, 'recalled', Cite.recalled),
    pause: figure(3, 5, 10, 'recalled', Cite.recalled),
    xsave: figure(50, 90, 150, 'estimated', 'FXSAVE'),
    xrstor: figure(60, 110, 150, 'estimated', 'FXRSTOR'),
    fpControl: figure(9, 20, 32, 'estimated', Cite.estimate),
    repString: figure(15, 30, 60, 'estimated', Cite.estimate),
    mispredict: figure(10, 12, 15, 'recalled', Cite.recalled),
    stlbHit: figure(3, 5, 9, 'recalled', Cite.recalled),
    monitorWake: nanoseconds(80, 100, 150, 'estimated', Cite.estimate),
    nmi: figure(400, 680, 800, 'estimated', Cite.estimate),
    vmcall: figure(1500, 2000, 3000, 'recalled', Cite.recalled),
  },
  pmu: { model: 'amd', counters: 4, delivery: figure(100, 500, 2000, 'estimated', Cite.estimate) },
  idle: [poll, { name: 'C1', mwaitHint: 0, exitLatency: 1000, targetResidency: 1000, wake: figure(300, 600, 1000, 'estimated', 'by HLT') }],
} as const satisfies Partial<CpuProfile> | { costs: object };

/** What K10 cores (Barcelona, Shanghai) have in common. */
const k10 = {
  tlb: {
    l1d4k: { entries: 48, ways: 48 },
    l1d2m: { entries: 48, ways: 48 },
    l1d1g: { entries: 48, ways: 48 },
    l1i4k: { entries: 32, ways: 32 },
    l1i2m: { entries: 16, ways: 16 },
    stlb: { entries: 512, ways: 4 },
    stlb1g: { entries: 16, ways: 8 },
  },
  memory: {
    local: figure(60, 75, 100, 'recalled', Cite.recalled),
    remote: figure(95, 115, 150, 'recalled', Cite.recalled),
  },
  physicalAddressBits: 48,
} as const;

const k10L1 = { bytes: 64 * 1024, ways: 2, latency: figure(3, 3, 3, 'recalled', Cite.guide) };
const k10L2 = { bytes: 512 * 1024, ways: 16, latency: figure(12, 15, 15, 'recalled', Cite.recalled) };

/** Lines of K10 sockets `furthest` links apart. */
function k10Line(furthest: number): CpuProfile['line'] {
  const crossSocket = figure(95, 99.5, 105, 'published', `${Cite.cache2cache}: 199 ns, two Opteron 2350`);
  const farther = Array.from({ length: furthest - 1 }, (_, more) => {
    const links = (more + 1) * ONE_MORE_LINK;
    return figure(crossSocket.low + links, crossSocket.central + links, crossSocket.high + 2 * links, 'derived', moreLinks);
  });
  const within = figure(70, 76, 80, 'published', `${Cite.cache2cache}: 152 ns, Opteron 2350`);
  return { sameCache: within, sameSocket: within, crossSocket, farther };
}

/** Two sockets of Opteron 2220 (Santa Rosa): two cores with an L2 each, and two HyperTransport links between the sockets. @public for experiments of your own */
export const opteron2220: CpuProfile = {
  ...opteron,
  name: 'opteron-2220',
  title: '2 x AMD Opteron 2220 (Santa Rosa), 2.8 GHz: the "2x2-core AMD"',
  topology: { sockets: 2, coresPerSocket: 2, threadsPerCore: 1, coresPerCache: 1, memoryPerSocket: 1 / 16 },
  clock: { tscGHz: 2.8, apicMHz: 200, coreGHz: figure(2.8, 2.8, 2.8, 'published', `${Cite.paper}: 2.8 GHz`) },
  tlb: {
    l1d4k: { entries: 32, ways: 32 },
    l1d2m: { entries: 8, ways: 8 },
    l1d1g: { entries: 1, ways: 1 },
    l1i4k: { entries: 32, ways: 32 },
    l1i2m: { entries: 8, ways: 8 },
    stlb: { entries: 512, ways: 4 },
    stlb1g: { entries: 1, ways: 1 },
  },
  cache: {
    l1d: k10L1,
    l2: { bytes: 1024 * 1024, ways: 16, latency: figure(12, 12, 12, 'published', `${Cite.cpuz}: Opteron 880`) },
    l3: { bytes: 1024 * 1024, ways: 16, latency: figure(150, 168, 200, 'derived', 'there is none: memory stands in its place') },
  },
  memory: {
    local: figure(55, 60, 80, 'recalled', Cite.recalled),
    remote: figure(80, 95, 120, 'recalled', Cite.recalled),
  },
  line: {
    sameCache: figure(57, 67, 70, 'published', `${Cite.cache2cache}: 134 ns, Opteron 880 at 2.4 GHz`),
    sameSocket: figure(57, 67, 70, 'published', `${Cite.cache2cache}: 134 ns, Opteron 880 at 2.4 GHz; low: scaled with the clock`),
    crossSocket: figure(80, 84.5, 94, 'published', `${Cite.cache2cache}: 169 to 188 ns, four Opteron 880`),
  },
  physicalAddressBits: 40,
};

/** Four sockets of Opteron 8380 (Shanghai), connected in a square. @public for experiments of your own */
export const opteron8380: CpuProfile = {
  ...opteron,
  ...k10,
  name: 'opteron-8380',
  title: '4 x AMD Opteron 8380 (Shanghai), 2.5 GHz: the "4x4-core AMD"',
  topology: {
    sockets: 4,
    coresPerSocket: 4,
    threadsPerCore: 1,
    coresPerCache: 4,
    // As the paper has it: a square.
    hops: hopsOf(4, [
      [0, 1],
      [1, 3],
      [3, 2],
      [2, 0],
    ]),
    memoryPerSocket: 1 / 16,
  },
  clock: { tscGHz: 2.5, apicMHz: 200, coreGHz: figure(2.5, 2.5, 2.5, 'published', `${Cite.paper}: 2.5 GHz`) },
  cache: {
    l1d: k10L1,
    l2: k10L2,
    l3: { bytes: 6 * 1024 * 1024, ways: 48, latency: figure(40, 48, 58, 'recalled', Cite.recalled) },
  },
  line: k10Line(2),
};

/** Eight sockets of Opteron 8350 (Barcelona), whose board and daughter board carry four each. @public for experiments of your own */
export const opteron8350: CpuProfile = {
  ...opteron,
  ...k10,
  name: 'opteron-8350',
  title: '8 x AMD Opteron 8350 (Barcelona), 2.0 GHz: the "8x4-core AMD"',
  topology: {
    sockets: 8,
    coresPerSocket: 4,
    threadsPerCore: 1,
    coresPerCache: 4,
    // A twisted ladder, as boards for eight Opterons with three links each have. Estimated: the paper's picture was not at hand.
    hops: hopsOf(8, [
      [0, 1],
      [0, 2],
      [1, 3],
      [2, 4],
      [3, 5],
      [2, 5],
      [3, 4],
      [4, 6],
      [5, 7],
      [6, 7],
    ]),
    memoryPerSocket: 1 / 16,
  },
  clock: { tscGHz: 2, apicMHz: 200, coreGHz: figure(2, 2, 2, 'published', `${Cite.paper}: 2.0 GHz`) },
  cache: {
    l1d: k10L1,
    l2: k10L2,
    l3: { bytes: 2 * 1024 * 1024, ways: 32, latency: figure(38, 46, 50, 'published', `${Cite.barcelona}: 23 ns, Opteron 2350`) },
  },
  line: k10Line(3),
};
