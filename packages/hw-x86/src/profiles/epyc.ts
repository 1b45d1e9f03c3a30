import type { CpuProfile } from '../costs/profile.js';
import { Cite, figure, nanoseconds } from './figure.js';
import { countedKernel } from './kernel.js';

const zen4 = 'one Zen 4 IPC benchmark under perf stat (CPI 1.18 with all inside, 29 branch misses per 1000 instructions: safe-RET)';

const pmuDelivery = figure(100, 500, 2000, 'estimated', 'long enough that Linux waits up to 50 us for it (amd_pmu_wait_on_overflow)');

const fromL2 = {
  copy: figure(8, 14, 28, 'estimated', `${Cite.estimate} for AMD; ${Cite.fromL2}`),
  zero: figure(10, 16, 32, 'estimated', `${Cite.estimate} for AMD; ${Cite.fromL2}`),
};

/** What both EPYC generations have in common as far as figures could be found. */
const zen = {
  vendor: 'amd',
  features: {
    pku: true,
    fsgsbase: true,
    pcid: true,
    invpcid: true,
    eibrs: true,
    meltdownSafe: true,
    mwait: true,
    gib1Pages: true,
    vmfunc: false,
  },
  kernel: countedKernel,
  costs: {
    bhbClear: figure(0, 0, 0, 'recalled', 'AMD processors do not need the branch-history loop'),
    swapgs: figure(15, 25, 45, 'estimated', Cite.estimate),
    interrupt: figure(170, 250, 350, 'recalled', Cite.recalled),
    exception: figure(170, 250, 350, 'recalled', Cite.recalled),
    cr3Write: figure(100, 150, 220, 'estimated', Cite.estimate),
    cr3WriteFlush: figure(150, 250, 370, 'estimated', Cite.estimate),
    invlpg: figure(80, 120, 250, 'estimated', Cite.estimate),
    invpcid: figure(120, 250, 450, 'estimated', Cite.estimate),
    wrpkru: figure(15, 25, 60, 'estimated', `${Cite.estimate} for AMD`),
    rdpkru: figure(1, 5, 10, 'estimated', `${Cite.estimate} for AMD`),
    wrfsbase: figure(15, 25, 45, 'estimated', Cite.estimate),
    rdfsbase: figure(5, 8, 10, 'estimated', Cite.estimate),
    wrmsr: figure(80, 150, 250, 'estimated', Cite.estimate),
    rdmsr: figure(50, 90, 180, 'estimated', Cite.estimate),
    rdpmc: figure(15, 25, 45, 'estimated', Cite.estimate),
    rdtsc: figure(33, 35.3, 37, 'published', `${Cite.instlat}: 35.3 (9654), 36.0 (5950X)`),
    lfence: figure(8, 10, 12, 'published', Cite.instlat),
    mfence: figure(55, 59, 62, 'published', Cite.instlat),
    pause: figure(60, 65.5, 70, 'published', Cite.instlat),
    xsave: figure(70, 115, 200, 'recalled', Cite.recalled),
    xrstor: figure(70, 110, 200, 'recalled', Cite.recalled),
    fpControl: figure(20, 26.3, 32, 'published', `${Cite.instlat}: STMXCSR+LDMXCSR 26.3`),
    repString: figure(15, 40, 60, 'estimated', Cite.estimate),
    functionCall: figure(3, 5, 6, 'published', 'XDP paper (CoNEXT 2018): 4.7 cycles; prototype-kernel: 5'),
    indirectCall: figure(13, 18, 30, 'recalled', 'Behrens, Belay, Kaashoek, EuroSys 2022 (recalled): generic retpolines on Zen to Zen 3'),
    mispredict: figure(11, 13, 18, 'recalled', Cite.recalled),
    reload: figure(0.05, 0.25, 0.45, 'measured', Cite.reload),
    codeLine: figure(0.5, 0.7, 2.3, 'measured', Cite.codeLine),
    stackSwitch: figure(12, 19, 25, 'published', `${Cite.boost}: 19 cycles; Demikernel coroutine: 12`),
    stlbHit: figure(7, 7, 9, 'recalled', Cite.manual),
    walkLevel: figure(5, 7, 10, 'estimated', Cite.estimate),
    ipiSend: figure(100, 190, 300, 'estimated', Cite.estimate),
    ipiDelivery: nanoseconds(400, 600, 1000, 'estimated', Cite.estimate),
    mwait: figure(20, 40, 80, 'estimated', Cite.estimate),
    verw: figure(0, 0, 600, 'recalled', 'not exposed to MDS; microcode against TSA (2025) made VERW clear buffers on Zen 3 and 4'),
    nmi: figure(250, 350, 500, 'estimated', Cite.estimate),
    vmcall: figure(900, 1200, 1800, 'estimated', `${Cite.estimate} for VMMCALL`),
    vmfunc: figure(0, 0, 0, 'recalled', 'AMD processors have no VMFUNC: it raises #UD'),
  },
  idle: [
    { name: 'poll', exitLatency: 0, targetResidency: 0, wake: figure(10, 30, 60, 'estimated', 'one turn of the polling loop') },
    {
      name: 'C1',
      mwaitHint: 0x00,
      exitLatency: 1000,
      targetResidency: 2000,
      wake: figure(80, 300, 600, 'published', 'futex wake-up on isolated AMD cores: 0.08 us above polling; 0.3..0.6 us recalled'),
    },
    {
      name: 'C1E',
      exitLatency: 30_000,
      targetResidency: 60_000,
      wake: figure(1500, 2400, 4000, 'published', 'ACPI C2, which stands in the place of C1E: futex wake-up 2.4 us above polling'),
    },
    {
      name: 'C6',
      exitLatency: 100_000,
      targetResidency: 200_000,
      wake: figure(30_000, 50_000, 100_000, 'estimated', 'ACPI C2 in its deep form: tables say 30..400 us'),
    },
    {
      name: 'guest',
      exitLatency: 0,
      targetResidency: 0,
      wake: figure(3000, 15_000, 40_000, 'estimated', Cite.guestWake),
      kick: figure(500, 1500, 4000, 'estimated', Cite.guestKick),
    },
  ],
} as const satisfies Partial<CpuProfile> | { costs: object };

/** Two sockets of EPYC 7713 (Milan, Zen 3, 64 cores, 2.0 GHz): the first EPYC generation with protection keys. */
export const epycMilan7713: CpuProfile = {
  ...zen,
  name: 'epyc-7713',
  title: '2 x AMD EPYC 7713 (Milan, Zen 3), 2.0 GHz',
  topology: { sockets: 2, coresPerSocket: 64, threadsPerCore: 2, coresPerCache: 8, memoryPerSocket: 512 },
  clock: { tscGHz: 2.0, apicMHz: 100, coreGHz: figure(3.0, 3.5, 3.675, 'published', `${Cite.instlat}; light load`) },
  cpi: {
    kernel: figure(0.7, 0.95, 1.3, 'estimated', `${zen4}, scaled by 5 %`),
    user: figure(0.2, 0.27, 0.4, 'derived', Cite.formatting),
  },
  costs: {
    ...zen.costs,
    syscall: figure(53, 83, 90, 'recalled', `${Cite.behrens}: Zen 3`),
    sysret: figure(46, 55, 60, 'recalled', `${Cite.behrens}: Zen 3`),
    iret: figure(100, 160, 250, 'recalled', Cite.recalled),
    lockedOp: figure(6.5, 6.5, 8, 'published', `${Cite.instlat}: LOCK ADD mem, Zen 3`),
    monitorWake: nanoseconds(22, 26, 110, 'published', `${Cite.c2c}: 23 ns inside a core complex, 92..117 across`),
  },
  bytesPerCycle: {
    copy: figure(10, 24, 30, 'derived', `${Cite.instlat}: REP MOVSB in L1D`),
    zero: figure(16, 30, 60, 'estimated', Cite.estimate),
    fromL2,
  },
  tlb: {
    l1d4k: { entries: 64, ways: 64 },
    l1d2m: { entries: 64, ways: 64 },
    l1d1g: { entries: 64, ways: 64 },
    l1i4k: { entries: 64, ways: 64 },
    l1i2m: { entries: 64, ways: 64 },
    stlb: { entries: 2048, ways: 8 },
    stlb1g: { entries: 64, ways: 64 },
  },
  physicalAddressBits: 48,
  pmu: { model: 'amd', counters: 6, delivery: pmuDelivery },
  cache: {
    l1d: { bytes: 32 * 1024, ways: 8, latency: figure(4, 4, 5, 'published', Cite.instlat) },
    l2: { bytes: 512 * 1024, ways: 8, latency: figure(12, 12, 14, 'published', Cite.instlat) },
    l3: { bytes: 32 * 1024 * 1024, ways: 16, latency: figure(46, 48, 51, 'published', Cite.instlat) },
  },
  memory: {
    local: figure(96, 100, 110, 'recalled', Cite.recalled),
    remote: figure(190, 200, 210, 'recalled', Cite.recalled),
  },
  line: {
    sameCache: figure(22.7, 24, 30, 'published', `${Cite.c2c}: EPYC 7R13, 7773X, 7453`),
    sameSocket: figure(92, 108, 137, 'published', `${Cite.c2c}: EPYC 7R13, 7773X, 7453`),
    crossSocket: figure(190, 200, 241, 'published', `${Cite.c2c}: dual EPYC 7R13 198, 7453 228..241`),
  },
};

/** Two sockets of EPYC 9654 (Genoa, Zen 4, 96 cores, 2.4 GHz). */
export const epycGenoa9654: CpuProfile = {
  ...zen,
  name: 'epyc-9654',
  title: '2 x AMD EPYC 9654 (Genoa, Zen 4), 2.4 GHz',
  topology: { sockets: 2, coresPerSocket: 96, threadsPerCore: 2, coresPerCache: 8, memoryPerSocket: 768 },
  clock: { tscGHz: 2.4, apicMHz: 100, coreGHz: figure(3.3, 3.6, 3.7, 'published', `${Cite.instlat}; light load`) },
  cpi: {
    kernel: figure(0.65, 0.9, 1.2, 'estimated', zen4),
    user: figure(0.2, 0.27, 0.4, 'derived', Cite.formatting),
  },
  costs: {
    ...zen.costs,
    syscall: figure(55, 80, 90, 'estimated', Cite.estimate),
    sysret: figure(42, 50, 60, 'estimated', Cite.estimate),
    iret: figure(100, 150, 250, 'recalled', Cite.recalled),
    lockedOp: figure(7.4, 7.4, 8, 'published', `${Cite.instlat}: LOCK ADD mem, EPYC 9654`),
    monitorWake: nanoseconds(22, 25, 120, 'published', `${Cite.c2c}: dual EPYC 9274F, 22..26 ns inside a core complex`),
  },
  bytesPerCycle: {
    copy: figure(10, 22, 28, 'derived', `${Cite.instlat}: REP MOVSB in L1D`),
    zero: figure(16, 30, 60, 'estimated', Cite.estimate),
    fromL2,
  },
  tlb: {
    l1d4k: { entries: 72, ways: 72 },
    l1d2m: { entries: 72, ways: 72 },
    l1d1g: { entries: 72, ways: 72 },
    l1i4k: { entries: 64, ways: 64 },
    l1i2m: { entries: 64, ways: 64 },
    // 3072 entries in six ways of 512: the L2 data TLB for both 4 KiB and 2 MiB pages.
    stlb: { entries: 3072, ways: 6 },
    stlb1g: { entries: 64, ways: 64 },
  },
  physicalAddressBits: 52,
  pmu: { model: 'amd-v2', counters: 6, delivery: pmuDelivery },
  cache: {
    l1d: { bytes: 32 * 1024, ways: 8, latency: figure(4, 4, 5, 'published', Cite.instlat) },
    l2: { bytes: 1024 * 1024, ways: 8, latency: figure(14, 14, 15, 'published', Cite.instlat) },
    l3: { bytes: 32 * 1024 * 1024, ways: 16, latency: figure(50, 52, 53, 'published', Cite.instlat) },
  },
  memory: {
    local: figure(105, 110, 120, 'recalled', Cite.recalled),
    remote: figure(195, 210, 230, 'recalled', Cite.recalled),
  },
  line: {
    sameCache: figure(22, 24, 26, 'published', `${Cite.c2c}: dual EPYC 9274F`),
    sameSocket: figure(100, 110, 120, 'estimated', Cite.estimate),
    crossSocket: figure(186, 195, 200, 'published', `${Cite.c2c}: dual EPYC 9274F`),
  },
};
