import { type CpuProfile, type Figure, figure, nanoseconds, unmitigatedKernel } from '@rpal/hw-x86';

const FAMILY = 'general knowledge of the processor family, no text at hand';
const BRACKET = 'bracket chosen by the authors: no source found';

const recalled = (low: number, central: number, high: number, source = FAMILY) => figure(low, central, high, 'recalled', source);
const estimated = (low: number, central: number, high: number, source = BRACKET) => figure(low, central, high, 'estimated', source);
const absent: Figure = recalled(0, 0, 0, 'no such instruction: it raises #UD');
const exits =
  'Agesen et al., Software Techniques for Avoiding Hardware Virtualization Exits, USENIX ATC 2012: 784 cycles there and back on Sandy Bridge, the generation before';

/** One Xeon E3-1230 v2 (Ivy Bridge, four cores), as in the Dune paper; no figure of that paper is in it. @public for experiments of your own */
export const xeonE31230v2: CpuProfile = {
  name: 'xeon-e3-1230v2',
  title: 'Intel Xeon E3-1230 v2 (Ivy Bridge), 3.30 GHz',
  vendor: 'intel',
  topology: { sockets: 1, coresPerSocket: 4, threadsPerCore: 2, coresPerCache: 4, memoryPerSocket: 16 },
  features: {
    pku: false,
    fsgsbase: true,
    pcid: true,
    invpcid: false,
    eibrs: false,
    meltdownSafe: false,
    mwait: true,
    gib1Pages: false,
    vmfunc: false,
  },
  // Nobody knew of Meltdown, and Linux did not isolate page tables.
  kernel: unmitigatedKernel,
  clock: {
    tscGHz: 3.3,
    apicMHz: 100,
    coreGHz: recalled(3.3, 3.3, 3.7, 'nominal clock; turbo up to 3.7 GHz, which measurements in cycles leave off'),
  },
  cpi: {
    kernel: estimated(0.5, 0.7, 1.1, 'Skylake-SP takes 0.52; an older core with a shorter window'),
    user: estimated(0.3, 0.45, 0.7, 'Skylake-SP takes 0.33, likewise'),
  },
  costs: {
    syscall: recalled(30, 45, 70),
    sysret: recalled(25, 35, 55),
    bhbClear: recalled(0, 0, 0, 'not known then'),
    swapgs: recalled(12, 20, 30),
    iret: recalled(150, 200, 280),
    interrupt: recalled(200, 280, 400),
    exception: recalled(200, 260, 380),
    cr3Write: recalled(100, 150, 220),
    cr3WriteFlush: recalled(110, 180, 280),
    invlpg: recalled(100, 140, 240),
    invpcid: recalled(100, 250, 450, 'no INVPCID before Haswell; INVEPT is priced by it'),
    lockedOp: recalled(18, 22, 28),
    wrpkru: absent,
    rdpkru: absent,
    wrfsbase: estimated(10, 20, 42),
    rdfsbase: estimated(5, 8, 10),
    wrmsr: estimated(80, 110, 200),
    rdmsr: estimated(50, 70, 130),
    rdpmc: recalled(25, 37, 45),
    rdtsc: recalled(24, 27, 32),
    lfence: recalled(4, 5, 10),
    mfence: recalled(31, 36, 40),
    pause: recalled(8, 10, 12),
    xsave: recalled(70, 100, 150),
    xrstor: recalled(70, 100, 150),
    fpControl: recalled(9, 14, 26),
    repString: recalled(30, 40, 60),
    functionCall: recalled(3, 5, 6),
    indirectCall: recalled(15, 28, 40),
    mispredict: recalled(14, 16, 19),
    reload: estimated(0.05, 0.25, 0.45, 'as timed on later processors, in cycles'),
    codeLine: estimated(0.5, 0.7, 2.3, 'as timed on later processors, in cycles'),
    stackSwitch: estimated(12, 19, 25),
    stlbHit: recalled(7, 7, 9),
    walkLevel: recalled(4, 7, 12, 'an entry read by the walker from the first-level or second-level cache'),
    ipiSend: estimated(60, 120, 250, 'xAPIC: an uncached store, and a look whether the last one has gone'),
    ipiDelivery: nanoseconds(200, 350, 700, 'estimated', BRACKET),
    monitorWake: nanoseconds(25, 35, 50, 'estimated', BRACKET),
    mwait: estimated(20, 40, 80),
    verw: recalled(400, 500, 620, 'microcode of 2019'),
    nmi: estimated(250, 350, 500),
    vmcall: recalled(650, 784, 1000, exits),
    vmfunc: absent,
  },
  bytesPerCycle: { copy: recalled(8, 14, 16), zero: recalled(12, 16, 32) },
  tlb: {
    l1d4k: { entries: 64, ways: 4 },
    l1d2m: { entries: 32, ways: 4 },
    l1d1g: { entries: 4, ways: 4 },
    l1i4k: { entries: 128, ways: 4 },
    l1i2m: { entries: 8, ways: 8 },
    stlb: { entries: 512, ways: 4 },
    stlb1g: { entries: 4, ways: 4 },
  },
  cache: {
    l1d: { bytes: 32 * 1024, ways: 8, latency: recalled(4, 4, 5) },
    l2: { bytes: 256 * 1024, ways: 8, latency: recalled(11, 12, 12) },
    l3: { bytes: 8 * 1024 * 1024, ways: 16, latency: recalled(26, 30, 35) },
  },
  memory: { local: recalled(50, 60, 75), remote: recalled(50, 60, 75, 'there is one socket') },
  line: {
    sameCache: estimated(18, 25, 35),
    sameSocket: estimated(18, 25, 35),
    crossSocket: estimated(18, 25, 35, 'there is one socket'),
  },
  physicalAddressBits: 36,
  pmu: { model: 'intel', counters: 4, delivery: estimated(15, 40, 150) },
  idle: [
    { name: 'poll', exitLatency: 0, targetResidency: 0, wake: estimated(10, 30, 60) },
    { name: 'C1', mwaitHint: 0, exitLatency: 1000, targetResidency: 1000, wake: estimated(300, 500, 1000) },
    { name: 'C1E', mwaitHint: 1, exitLatency: 10_000, targetResidency: 20_000, wake: estimated(3000, 5000, 10_000) },
  ],
};
